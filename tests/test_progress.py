"""Where there is no terminal, long work says from time to time how far it is."""

from __future__ import annotations

import pytest

from model import progress
from model.progress import with_progress


def test_all_items_come_and_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(with_progress("abc", "letters", 3)) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_long_work_counts_what_was_done_before(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A clock that moves 20 s at each look: two looks a line."""
    seconds = iter(range(0, 1000, 20))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))
    assert list(with_progress(range(4), "updates", 10, done=6)) == [0, 1, 2, 3]
    assert capsys.readouterr().err.splitlines() == [
        "7 of 10 updates, 120 s left",
        "9 of 10 updates, 27 s left",
    ]
