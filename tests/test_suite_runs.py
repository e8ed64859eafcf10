"""What a suite measured is on disk before anything is shown, and leftovers go only then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import run, suite_runs
from bench.reports import read_report
from bench.rows import Row
from model.partial_results import partial_of
from tests.report_rows import a_row


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where suite ablation reports a row without any training; its leftover is of use till then."""

    def measure(*_: object) -> Iterator[Row]:
        partial_of(path).write_text("{}")
        row = a_row([97.5], suite="ablation", unit="% top-1", interval=None)
        yield row | {"macs": 1, "parameters": 1, "mean": 97.5, "deviation": 0.0}

    path = tmp_path / "report.json"
    monkeypatch.setattr(suite_runs, "measure_ablation", measure)
    return path


def ablate(path: Path) -> None:
    run.main(["ablation", "--target", "host", "--json", str(path)])


def test_a_table_that_cannot_be_shown_loses_no_result(
    report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(run, "_print_tables", closed)
    with pytest.raises(BrokenPipeError):
        ablate(report)
    assert [row["median"] for row in read_report(str(report)).rows] == [97.5]


def test_what_an_interrupted_run_needs_goes_when_the_report_is_there(
    report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(run, "write_json", _full)
        with pytest.raises(OSError, match="no space"):
            ablate(report)
    assert partial_of(report).exists()
    ablate(report)
    assert report.exists()
    assert not partial_of(report).exists()


def _full(*_: object) -> None:
    raise OSError("no space")
