"""The README's figures are those of the newest committed reports, and each report is named."""

from __future__ import annotations

import re

import pytest

from bench.context import REPOSITORY
from bench.readme import README, SECTION, with_results
from bench.readme_sections import SECTIONS
from bench.readme_sections.committed import RESULTS, committed_report, markdown
from bench.reports import ReportError

TEXT = README.read_text(encoding="utf-8")


def test_the_readmes_figures_are_those_of_the_committed_reports() -> None:
    assert with_results(TEXT) == TEXT, "run `python bench/readme.py`"


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_stands_in_the_readme_once(name: str) -> None:
    assert [match["name"] for match in SECTION.finditer(TEXT)].count(name) == 1


@pytest.mark.parametrize("name", SECTIONS)
def test_a_figure_changed_by_hand_is_set_right(name: str) -> None:
    (match,) = (match for match in SECTION.finditer(TEXT) if match["name"] == name)
    changed = re.sub(r"\d", "7", match["text"])
    assert changed != match["text"]
    assert with_results(TEXT.replace(match["text"], changed)) == TEXT


@pytest.mark.parametrize(
    "path", sorted(RESULTS.glob("*/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_every_committed_report_is_named(path: object) -> None:
    assert f"`{path.relative_to(REPOSITORY)}`" in TEXT


def test_a_section_nobody_makes_is_refused() -> None:
    with pytest.raises(ReportError, match="'weather'; known are ablation, sizes"):
        with_results("<!-- weather -->\nsunny\n<!-- /weather -->")


def test_text_beside_the_sections_is_left_alone() -> None:
    assert with_results("before <!-- a comment --> after") == "before <!-- a comment --> after"


def test_a_missing_report_is_named() -> None:
    with pytest.raises(ReportError, match=r"found nothing at .*results/host/weather\.json"):
        committed_report("weather")


def test_a_table_has_a_line_a_row() -> None:
    assert markdown(("a", "b"), [(1, "x")]) == ["| a | b |", "|---|---|", "| 1 | x |"]
