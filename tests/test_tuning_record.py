"""A record is one line of strict JSON, the same for the same values."""

from __future__ import annotations

import pytest

from compile.tuning.record import RecordError, parse_record, record_line
from tests.tuning_records import record


def test_a_record_is_read_as_it_was_written() -> None:
    assert parse_record(record_line(record())) == record()


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("[]", "a JSON object"),
        ("{", "a line of JSON"),
        ('{"format": 1, "format": 1}', "each key once"),
        ('{"format": 2}', "newer shufflenet-compiled"),
        (" " * 1_000_001, "at most 1000000 bytes"),
    ],
)
def test_a_line_that_is_no_record_is_refused(line: str, what: str) -> None:
    with pytest.raises(RecordError, match=what):
        parse_record(line)


def test_decisions_may_not_be_nested_too_deep() -> None:
    deep: object = 1
    for _ in range(8):
        deep = [deep]
    with pytest.raises(RecordError, match="levels of nesting"):
        record(decisions={"rows": deep})
