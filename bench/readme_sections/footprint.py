"""What a process needs, and how soon it answers, beside other engines."""

from __future__ import annotations

from bench.committed_reports import committed_report
from bench.readme_sections.committed import measured_conditions, section
from bench.rows import Row

HEADINGS = ("engine", "in a process of", "memory", "of it weights + workspace", "first answer")


def footprint_section() -> str:
    """A row an engine and kind of process; times are of the Python processes."""
    memory, startup = committed_report("memory"), committed_report("startup")
    starts = {row["engine"]: row for row in startup.rows}
    rows = (
        (
            row["engine"],
            row["process"],
            f"{row['median']:.2f} MB",
            _needed(row),
            _answer(starts[row["engine"]]) if row["process"] == "Python" else "-",
        )
        for row in memory.rows
    )
    conditions = [measured_conditions(report, "processes") for report in (memory, startup)]
    return section(HEADINGS, rows, *conditions)


def _needed(row: Row) -> str:
    needed = (row.get("weights_bytes", 0) + row.get("workspace_bytes", 0)) / 1e6
    return f"{needed:.2f} MB" if needed else "-"


def _answer(start: Row) -> str:
    return f"{start['median']:.1f} ms (import {start['import_ms']:.0f} ms)"
