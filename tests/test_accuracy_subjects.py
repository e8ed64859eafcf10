"""Accuracy is judged by the digits, and by what is named; without either there is nothing to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import accuracy_subjects
from bench.accuracy_subjects import AccuracyError, subjects
from model.digits.pictures import DigitsError


def test_without_pictures_there_are_the_digits() -> None:
    found, missing = subjects(None, None, count=10)
    assert [each.data for each in found] == ["digits"]
    assert {each.true_class for each in found[0].pictures} == set(range(10)), "one of each class"
    assert list(missing) == ["pictures"]


def test_without_any_pictures_there_is_nothing_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_digits() -> Path:
        raise DigitsError("scikit-learn is not installed")

    monkeypatch.setattr(accuracy_subjects, "digits_folder", no_digits)
    with pytest.raises(AccuracyError, match="digits: scikit-learn is not installed; pictures: not"):
        subjects(None, None)
