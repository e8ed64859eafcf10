"""What SECURITY.md says of tests and fuzzers is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.provenance import REPOSITORY
from tests.fuzz.parsers import PARSERS

SECURITY = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "SECURITY.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
]


def table(heading: str) -> list[list[str]]:
    """The rows of the table of SECURITY.md whose columns begin with that heading."""
    _, _, rest = SECURITY.partition(f"\n| {heading} |")
    lines = rest.split("\n\n")[0].splitlines()[2:]
    assert lines, f"no table of {heading}"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    named = set(re.findall(r"\btest_\w+\.py\b", page.read_text(encoding="utf-8")))
    assert {name for name in named if not (REPOSITORY / "tests" / name).is_file()} == set()


@pytest.mark.parametrize("heading", ["bad input", "fault | what is lost"])
def test_every_row_names_the_test_that_tries_it(heading: str) -> None:
    for row in table(heading):
        assert re.search(r"`test_\w+\.py`", row[-1]), row


def test_every_parser_that_is_fuzzed_is_in_the_table() -> None:
    assert [re.search(r"`(.+?)`", row[0])[1] for row in table("parser")] == list(PARSERS)
