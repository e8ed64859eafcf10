"""Figures of README and docs are those of the newest reports; each report and page is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.committed_reports import RESULTS, committed_report
from bench.provenance import REPOSITORY
from bench.readme import PAGES, SECTION, with_results
from bench.readme_sections import SECTIONS
from bench.readme_sections.committed import markdown
from bench.reports import ReportError

TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
EVERYTHING = "".join(TEXTS.values())


@pytest.mark.parametrize("page", TEXTS)
def test_the_figures_are_those_of_the_committed_reports(page: str) -> None:
    assert with_results(TEXTS[page]) == TEXTS[page], "run `python bench/readme.py`"


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_stands_on_one_page(name: str) -> None:
    assert [match["name"] for match in SECTION.finditer(EVERYTHING)].count(name) == 1


@pytest.mark.parametrize("name", SECTIONS)
def test_a_figure_changed_by_hand_is_set_right(name: str) -> None:
    (match,) = (match for match in SECTION.finditer(EVERYTHING) if match["name"] == name)
    changed = re.sub(r"\d", "7", match["text"])
    assert changed != match["text"]
    assert with_results(match[0].replace(match["text"], changed)) == match[0]


def test_the_readme_leads_to_every_page() -> None:
    readme, *others = PAGES
    links = set(re.findall(r"\]\((docs/[\w-]+\.md)\)", TEXTS[readme.name]))
    assert links == {f"docs/{page.name}" for page in others}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_to_a_file_is_broken(page: Path) -> None:
    targets = re.findall(r"\]\(((?!https?:)[^)#]+)", TEXTS[page.name])
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize(
    "path", sorted(RESULTS.glob("*/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_every_committed_report_is_named(path: object) -> None:
    assert f"`{path.relative_to(REPOSITORY)}`" in EVERYTHING


def test_a_section_nobody_makes_is_refused() -> None:
    with pytest.raises(ReportError, match="'weather'; known are headline, ablation"):
        with_results("<!-- weather -->\nsunny\n<!-- /weather -->")


def test_text_beside_the_sections_is_left_alone() -> None:
    assert with_results("before <!-- a comment --> after") == "before <!-- a comment --> after"


def test_a_missing_report_is_named() -> None:
    with pytest.raises(ReportError, match=r"found nothing at .*results/host/weather\.json"):
        committed_report("weather")


def test_a_table_has_a_line_a_row() -> None:
    assert markdown(("a", "b"), [(1, "x")]) == ["| a | b |", "|---|---|", "| 1 | x |"]
