"""More threads on a machine."""

from __future__ import annotations

from bench.committed_reports import HERE, committed_report
from bench.readme_sections.committed import measured_conditions, section

HEADINGS = ("model", "level", "threads", "median", "over one thread")


def threads_section(target: str = HERE) -> str:
    """A row a network and number of threads; every output has the bits of one thread's."""
    report = committed_report("threads", target)
    lines = (
        (
            row["model"],
            row["level"],
            row["threads"],
            f"{row['median']:.2f} {row['unit']}",
            f"{row['speedup']:.2f}x",
        )
        for row in report.rows
    )
    conditions = measured_conditions(report, "interleaved rounds")
    return section(HEADINGS, lines, conditions)
