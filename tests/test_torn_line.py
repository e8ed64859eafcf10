"""A line that a crash tore is set aside, and no record with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from compile.tuning.log import TuningLog
from compile.tuning.torn_line import sound_length
from tests.tuning_records import record


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


@pytest.mark.parametrize(
    ("text", "length"),
    [(b"", 0), (b"{}\n", 3), (b"{}\n{}", 3), (b"{}\n{\n", 3), (b"{", 0)],
    ids=["empty", "sound", "no newline", "no JSON", "nothing before"],
)
def test_what_is_torn_begins_behind_the_last_sound_line(text: bytes, length: int) -> None:
    assert sound_length(text) == length
