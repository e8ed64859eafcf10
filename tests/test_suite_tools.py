"""A suite without its tools is known before it runs, with what is missing."""

from __future__ import annotations

import pytest

from bench import model_check, suite_tools
from bench.suite_tools import not_measurable
from model.digits.pictures import DigitsError


@pytest.fixture(autouse=True)
def with_all_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite_tools, "missing_engines", lambda _: {})
    monkeypatch.setattr(suite_tools, "check_machine", lambda: None)
    monkeypatch.setattr(suite_tools, "digits_folder", lambda: None)
    monkeypatch.setattr(suite_tools, "missing_modelled_board_tools", list)


def test_with_all_tools_all_suites_are_measured() -> None:
    assert not_measurable() == {}


def test_without_onnxruntime_there_is_no_independent_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite_tools, "missing_engines", lambda names: dict.fromkeys(names, "away"))
    assert not_measurable() == {"independent": "onnxruntime is away"}


def test_without_pictures_there_is_no_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_digits() -> None:
        raise DigitsError("no scikit-learn")

    monkeypatch.setattr(suite_tools, "digits_folder", no_digits)
    assert not_measurable() == {"accuracy": "no scikit-learn"}


def test_without_qemu_the_model_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_check, "missing_modelling_tools", lambda _: ["no QEMU here"])
    monkeypatch.setattr(suite_tools, "check_machine", model_check.check_machine)
    assert "no QEMU here" in not_measurable()["model-check"]


def test_without_llvm_mca_no_spaces_are_raced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite_tools, "missing_modelled_board_tools", lambda: ["no llvm-mca here"])
    assert not_measurable() == {"tuning": "no llvm-mca here"}
