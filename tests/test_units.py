"""Every unit of a report has words for better and worse."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.committed_reports import RESULTS
from bench.reports import read_report
from bench.rows import report_row
from bench.units import BETTER, WORDS, more_is_better
from compile.targets import host_target

PATHS = sorted(RESULTS.glob("*/*.json"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_unit_of_a_committed_report_is_listed(path: Path) -> None:
    assert {row["unit"] for row in read_report(str(path)).rows} <= WORDS.keys()


def test_a_suite_cannot_write_a_row_in_another_unit() -> None:
    what = {"network": None, "engine": "mnn", "level": None, "threads": 1, "kind": "measured"}
    with pytest.raises(ValueError, match=r"expected a unit of s, ms, .*, got 'parsecs'"):
        report_row("peers", host_target(), **what, unit="parsecs", samples=[1.0])


def test_more_is_better_of_rates_and_shares_that_are_right_alone() -> None:
    assert [unit for unit in WORDS if more_is_better(unit)] == [
        "GFLOP/s", "GOP/s", "GB/s", "rank correlation", "% top-1",
    ]  # fmt: skip
    assert sorted(BETTER) == ["faster", "higher", "nearer", "smaller"]
