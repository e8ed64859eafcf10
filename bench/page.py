"""python bench/page.py REPORT.json... --html FILE: one page of several reports."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.report_page.render import render
from bench.reports import Report, read_report
from model.cli import argument, new_file, run_command, write_text


def main(arguments: list[str] | None = None) -> None:
    """Writes the page, and says where."""
    parser = argparse.ArgumentParser(
        prog="page.py", description="Makes one self-contained HTML page of reports of bench/run.py."
    )
    parser.add_argument(
        "reports",
        type=argument(read_report),
        nargs="+",
        metavar="REPORT.json",
        help="what --json of bench/run.py wrote",
    )
    parser.add_argument("--html", type=new_file, required=True, metavar="FILE", help="the page")
    options = parser.parse_args(arguments)
    write_page(options.reports, options.html)
    print(options.html)


def write_page(
    reports: Sequence[Report], path: Path, missing: Mapping[str, str] | None = None
) -> None:
    """Writes the page of `reports` to `path`, whole or not at all.

    `missing` are suites that should be on it, too, each with why it has no report.
    """
    write_text(path, render(reports, missing or {}))


if __name__ == "__main__":
    run_command(main)
