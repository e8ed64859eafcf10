"""A line of JSON is read where every reader would read the same, else refused."""

from __future__ import annotations

import pytest

from model.strict_json import MAX_WHOLE, JsonError, strict_json


def test_plain_json_is_read() -> None:
    line = f'{{"a": [1, 2.5, null, true], "b": {{"a": -{MAX_WHOLE}}}}}'
    expected = {"a": [1, 2.5, None, True], "b": {"a": -MAX_WHOLE}}
    assert strict_json(line) == strict_json(line.encode("utf-8")) == expected


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"a": 1, "a": 2}', "each key once"),
        ('[{"a": {"b": 1, "b": 1}}]', "each key once"),
        ("[NaN]", "finite numbers"),
        ("[-Infinity]", "finite numbers"),
        (f"[{MAX_WHOLE + 1}]", "64 bits"),
        ("1" * 100_000, "64 bits"),
        ("[" * 100_000, "a line of JSON"),
        (b"\xff", "a line of JSON"),
    ],
)
def test_what_readers_disagree_on_is_refused(line: str | bytes, what: str) -> None:
    with pytest.raises(JsonError, match=what):
        strict_json(line)
