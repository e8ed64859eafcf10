"""A report is kept if the same command would make it again; what a suite would refuse goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import kept_reports
from bench.kept_reports import SAME, remove_files, remove_partials
from tests.report_rows import a_row, write_report

HERE = {
    "revision": "0123456789ab",
    "cpu": "a processor",
    "cores": 2,
    "versions": {"tvm": "1"},
    "engines": {"ncnn": "1"},
}
COMMANDS = {"peak": "python bench/run.py peak"}


@pytest.fixture(autouse=True)
def this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_reports, "measurement_context", lambda _: dict(HERE))


def kept(folder: Path, **context: object) -> set[str]:
    """The suites of which a report of `context` is kept in `folder`."""
    made = HERE | {"command": COMMANDS["peak"]} | context
    write_report(folder / "peak.json", a_row(), **made)
    return set(kept_reports.kept_reports(folder, COMMANDS))


def test_the_report_of_this_code_and_machine_is_kept(tmp_path: Path) -> None:
    assert kept(tmp_path) == {"peak"}


@pytest.mark.parametrize("name", SAME)
def test_a_report_made_otherwise_is_not_kept(tmp_path: Path, name: str) -> None:
    assert kept(tmp_path, **{name: "another"}) == set()


def test_of_uncommitted_code_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = HERE | {"revision": "0123456789ab-dirty"}
    monkeypatch.setattr(kept_reports, "measurement_context", lambda _: dict(changed))
    assert kept(tmp_path, revision=changed["revision"]) == set()


def test_a_suite_s_report_log_and_picture_are_removed_alone(tmp_path: Path) -> None:
    for name in ("peak.json", "peak.log", "peak.png", "size.json"):
        (tmp_path / name).touch()
    remove_files(tmp_path, "peak")
    assert [path.name for path in tmp_path.iterdir()] == ["size.json"]


@pytest.mark.parametrize(("of", "left"), [("a", {"digits.a"}), ("b", {"digits.b"}), (None, set())])
def test_partial_results_stay_if_they_are_of_the_revision_that_goes_on(
    tmp_path: Path, of: str | None, left: set[str]
) -> None:
    for revision in "ab":
        path = tmp_path / f"accuracy.json.digits.{revision}.partial"
        path.write_text(json.dumps({"revision": revision}) + "\n")
    torn, of_another = tmp_path / "accuracy.json.torn.partial", tmp_path / "ablation.json.partial"
    torn.touch()
    of_another.touch()
    remove_partials(tmp_path, ["accuracy"], of)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {of_another.name} | {f"accuracy.json.{name}.partial" for name in left}
