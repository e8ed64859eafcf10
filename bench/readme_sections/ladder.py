"""The ladder of levels on a machine."""

from __future__ import annotations

from bench.committed_reports import HERE, committed_report
from bench.readme_sections.committed import measured_conditions, section

HEADINGS = ("model", "input", "level", "threads", "median", "speedup over stock")


def ladder_section(target: str = HERE) -> str:
    """A row a model and level."""
    report = committed_report("fusion", target)
    rows = (
        (
            row["model"],
            row["input"],
            row["level"],
            row["threads"],
            f"{row['median']:.2f} {row['unit']}",
            f"{row['speedup_over_stock']:.2f}x",
        )
        for row in report.rows
    )
    conditions = measured_conditions(report, "interleaved rounds")
    return section(HEADINGS, rows, conditions)
