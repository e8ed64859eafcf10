"""No crash and no second writer spoils a log, and nothing but a record is read from one."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from pathlib import Path

import pytest

from compile.tuning.decisions import is_usable
from compile.tuning.log import LogError, TuningLog, merge_logs, prune_log
from compile.tuning.record import FIELDS, Record, RecordError, parse_record, record_line
from tests.tuning_records import record

WRITERS, EACH = 4, 25


def test_a_record_is_read_as_it_was_written() -> None:
    assert parse_record(record_line(record())) == record()


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_of_another_type_is_refused_by_its_name(name: str) -> None:
    fields = json.loads(record_line(record()))
    fields[name] = None
    with pytest.raises(RecordError, match=name):
        parse_record(json.dumps(fields))


@pytest.mark.parametrize("name", FIELDS)
def test_a_missing_field_is_named(name: str) -> None:
    fields = json.loads(record_line(record()))
    del fields[name]
    with pytest.raises(RecordError, match=name):
        parse_record(json.dumps(fields))


@pytest.mark.parametrize("samples", [[], [0.0], [-1.0], [True], ["1"]])
def test_an_ok_record_has_positive_samples(samples: list[object]) -> None:
    fields = json.loads(record_line(record())) | {"samples": samples}
    with pytest.raises(RecordError, match="samples"):
        parse_record(json.dumps(fields))


def test_a_torn_last_line_is_set_aside_before_the_next_one(tmp_path: Path) -> None:
    told: list[str] = []
    log = TuningLog(tmp_path / "a.jsonl", warn=told.append)
    log.append([record(0)])
    with log.path.open("ab") as file:
        file.write(b'{"format": 1, "spa')
    contents = log.read()
    assert contents.records == [record(0)]
    assert [problem.line for problem in contents.problems] == [2]
    log.append([record(1)])
    assert log.read().records == [record(0), record(1)]
    assert not log.read().problems
    assert (tmp_path / "a.jsonl.torn").read_bytes().startswith(b'{"format": 1, "spa')
    assert len(told) == 1


def test_a_bad_line_in_between_is_an_error_that_names_it(tmp_path: Path) -> None:
    log = TuningLog(tmp_path / "a.jsonl")
    log.path.write_text(record_line(record(0)) + "\nnonsense\n" + record_line(record(1)) + "\n")
    with pytest.raises(LogError, match="2"):
        log.read()
    assert len(log.read(skip_bad=True).records) == 2


def test_a_full_disk_leaves_the_log_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = TuningLog(tmp_path / "a.jsonl")
    log.append([record(0)])
    before = log.path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(LogError, match="No space left"):
            log.append([record(1)])
    assert log.path.read_bytes() == before
    log.append([record(2)])
    assert log.read().records == [record(0), record(2)]


def _write(path: Path, writer: int) -> None:
    for count in range(EACH):
        TuningLog(path).append([record(writer, 1.0 + count)])


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    context = multiprocessing.get_context("forkserver")
    processes = [context.Process(target=_write, args=(path, index)) for index in range(WRITERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    contents = TuningLog(path).read()
    assert not contents.problems
    assert len(contents.records) == WRITERS * EACH
    for writer in range(WRITERS):
        of_one = [each.median for each in contents.records if each == record(writer, each.median)]
        assert of_one == [1.0 + count for count in range(EACH)]


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
