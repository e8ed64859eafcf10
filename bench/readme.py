"""python bench/readme.py: write the README's tables anew from the committed reports."""

from __future__ import annotations

import re

from bench.context import REPOSITORY
from bench.readme_sections import SECTIONS
from bench.reports import ReportError
from model.cli import run_command, write_text

README = REPOSITORY / "README.md"
SECTION = re.compile(r"<!-- (?P<name>[\w-]+) -->\n(?P<text>.*?)<!-- /(?P=name) -->", re.DOTALL)


def main() -> None:
    """Replaces what stands between the README's markers."""
    write_text(README, with_results(README.read_text(encoding="utf-8")))


def with_results(readme: str) -> str:
    """`readme` with every section between `<!-- NAME -->` and `<!-- /NAME -->` made anew.

    Raises `ReportError` for a name that `SECTIONS` does not have.
    """

    def made(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in SECTIONS:
            raise ReportError(f"the README has a section {name!r}; known are {', '.join(SECTIONS)}")
        return f"<!-- {name} -->\n{SECTIONS[name]()}\n<!-- /{name} -->"

    return SECTION.sub(made, readme)


if __name__ == "__main__":
    run_command(main)
