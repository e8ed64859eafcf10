"""Bytes of the libraries for `arm_cpu`."""

from __future__ import annotations

from bench.committed_reports import committed_report
from bench.readme_sections.committed import conditions, section

HEADINGS = ("library for `arm_cpu`", "bytes", "of it weights", "the rest", "memory of an instance")


def size_section() -> str:
    """A row a network."""
    report = committed_report("size", "arm_cpu")
    rows = (
        (
            row["model"],
            f"{row['median']:,}",
            f"{row['weights_bytes']:,}",
            f"{row['median'] - row['weights_bytes']:,}",
            f"{row['workspace_bytes']:,}",
        )
        for row in report.rows
    )
    what = "Stripped shared libraries"
    return section(HEADINGS, rows, conditions(what, report))
