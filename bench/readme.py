"""python bench/readme.py: write the tables of README.md and docs/ anew from committed reports."""

from __future__ import annotations

import re

from bench.provenance import REPOSITORY
from bench.readme_sections import SECTIONS
from bench.reports import ReportError
from model.cli import run_command, write_text

PAGES = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))
SECTION = re.compile(r"<!-- (?P<name>[\w-]+) -->\n(?P<text>.*?)<!-- /(?P=name) -->", re.DOTALL)


def main() -> None:
    """Replaces what stands between the markers of every page."""
    for page in PAGES:
        write_text(page, with_results(page.read_text(encoding="utf-8")))


def with_results(page: str) -> str:
    """The text of `page` with all between `<!-- NAME -->` and `<!-- /NAME -->` made anew.

    Raises `ReportError` for a name that `SECTIONS` does not have.
    """

    def made(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in SECTIONS:
            raise ReportError(f"a page has a section {name!r}; known are {', '.join(SECTIONS)}")
        return f"<!-- {name} -->\n{SECTIONS[name]()}\n<!-- /{name} -->"

    return SECTION.sub(made, page)


if __name__ == "__main__":
    run_command(main)
