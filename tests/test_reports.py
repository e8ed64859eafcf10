"""A file that is no report is told from one that is, with what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.committed_reports import RESULTS
from bench.reports import ReportError, read_report, with_kept_rows
from tests.report_rows import CONTEXT, a_row, write_report


def test_a_report_comes_back_with_its_context_and_rows(tmp_path: Path) -> None:
    name = write_report(tmp_path / "report.json", a_row(), cores=8)
    report = read_report(name)
    assert (report.name, report.context["cores"], list(report.rows)) == (name, 8, [a_row()])


def test_rows_of_something_else_are_kept(tmp_path: Path) -> None:
    old = [{**a_row(), "model": name, "median": 1.0} for name in ("first", "second")]
    path = Path(write_report(tmp_path / "report.json", *old))
    anew = {**a_row(), "model": "second", "median": 2.0}
    made = {"date": "2026-11-25", "revision": "abc", "command": "python bench/pictures.py"}
    rows = with_kept_rows(path, [anew], CONTEXT | made, ("model",))
    assert rows == [old[0], anew | made]
    assert with_kept_rows(tmp_path / "none.json", [anew], made, ("model",)) == [anew | made]


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*/*.json")), ids=lambda path: path.stem)
def test_every_committed_report_is_one(path: Path) -> None:
    assert read_report(str(path)).rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no JSON", "expected JSON"),
        ("[1, 2]", "no `context`"),
        ('{"rows": []}', "no `context`"),
        (json.dumps({"context": CONTEXT, "rows": []}), "no list with rows"),
        (
            json.dumps({"context": CONTEXT | {"cores": "two"}, "rows": [a_row()]}),
            "`cores` is 'two'",
        ),
        (json.dumps({"context": CONTEXT, "rows": [3]}), "row 0: expected an object, got 3"),
        (json.dumps({"context": CONTEXT, "rows": [a_row(unit=None)]}), "`unit` is None"),
        (
            json.dumps({"context": CONTEXT, "rows": [a_row(kind="guessed")]}),
            "'guessed', expected measured or",
        ),
        (json.dumps({"context": CONTEXT, "rows": [a_row([float("nan")])]}), "got NaN"),
        ('{"context": ' + 9999 * "[", "expected JSON"),
        (json.dumps({"context": CONTEXT, "rows": [a_row() | {"samples": []}]}), "one at least"),
        (
            json.dumps({"context": CONTEXT, "rows": [a_row(), a_row(level="\x1b[2J")]}),
            "row 1: `lev",
        ),
        (json.dumps({"context": CONTEXT, "rows": [a_row(what=["\x1b[2J"])]}), "one can print"),
        (json.dumps({"context": CONTEXT, "rows": [a_row(what={"is": 1e300})]}), "of usual size"),
        (
            json.dumps({"context": CONTEXT, "rows": [a_row([0.0])]}),
            "expected a number above nought",
        ),
        (json.dumps({"context": CONTEXT, "rows": [a_row(suite="layers")]}), "`kernel` is None"),
    ],
)
def test_what_is_no_report_is_refused_with_the_reason(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(ReportError, match=message) as caught:
        read_report(str(path))
    assert str(path) in str(caught.value)


def test_a_missing_report_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="found nothing at"):
        read_report(str(tmp_path / "missing.json"))
    with pytest.raises(ReportError, match="found a folder at"):
        read_report(str(tmp_path))
