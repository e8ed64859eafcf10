"""Merged logs hold every record once, pruned ones what decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from compile.tuning.decisions import is_usable
from compile.tuning.log import TuningLog
from compile.tuning.log_file import LogError
from compile.tuning.log_upkeep import merge_logs, prune_log
from compile.tuning.record import Record, record_line
from tests.tuning_records import record


def test_merged_logs_hold_every_record_once(tmp_path: Path) -> None:
    first, second, into = (TuningLog(tmp_path / f"{name}.jsonl") for name in "abc")
    first.append([record(0), record(1)])
    second.append([record(1), record(2)])
    into.append([record(3)])
    assert merge_logs([first.path, second.path], into.path) == 4
    assert sorted(map(record_line, into.read().records)) == sorted(
        record_line(record(index)) for index in range(4)
    )


def any_use(record: Record) -> bool:
    return True


def test_a_pruned_log_keeps_the_best_of_each_core_and_what_is_asked_for(tmp_path: Path) -> None:
    log = TuningLog(tmp_path / "a.jsonl")
    other = record(0, 9.0, core="neoverse-n1")
    wrong = record(1, outcome="wrong answer", samples=())
    slow = record(3, 40.0)
    log.append([record(0, 30.0), record(1, 10.0), record(2, 20.0), wrong, other, slow])
    assert prune_log(log.path, 2, lambda each: each == slow, any_use) == 2
    assert log.read().records == [record(1, 10.0), record(2, 20.0), other, slow]


def test_a_record_to_keep_that_two_logs_brought_is_left_once(tmp_path: Path) -> None:
    log = TuningLog(tmp_path / "a.jsonl")
    again = record(0, 30.0, date="2026-11-29T12:00:00Z")
    log.append([record(0, 30.0), record(1, 10.0), again, record(1, 10.0)])
    assert prune_log(log.path, 1, lambda each: each.median == 30.0, any_use) == 2
    assert log.read().records == [record(0, 30.0), record(1, 10.0)]


def test_a_pruned_log_keeps_the_newest_verdicts_of_the_network(tmp_path: Path) -> None:
    log = TuningLog(tmp_path / "a.jsonl")
    verdicts = [
        record(0, 1.0 + day, kind="in network", unit="s", date=f"2026-11-2{day}T12:00:00Z")
        for day in (3, 1, 2)
    ]
    log.append([record(0, 30.0), *verdicts])
    assert prune_log(log.path, 2, lambda each: False, any_use) == 1
    assert log.read().records == [record(0, 30.0), verdicts[0], verdicts[2]]


def test_a_pruned_log_keeps_the_best_that_is_of_use_of_each_version(tmp_path: Path) -> None:
    log = TuningLog(tmp_path / "a.jsonl")
    old = [record(index, 1.0 + index, template_version=0) for index in range(2)]
    no_room = record(1, 5.0, decisions={**record(1).decisions, "rows": 31})
    best, second = record(2, 10.0), record(3, 20.0)
    log.append([*old, no_room, best, second])
    assert prune_log(log.path, 1, lambda each: False, is_usable) == 3
    assert log.read().records == [old[0], best]


def test_to_prune_no_log_is_an_error_and_makes_none(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="found none"):
        prune_log(tmp_path / "typo" / "a.jsonl", 1, lambda each: False, any_use)
    assert not list(tmp_path.iterdir())
