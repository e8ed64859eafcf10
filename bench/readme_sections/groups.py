"""The paper's trade-off on this machine: groups at equal complexity."""

from __future__ import annotations

from bench.committed_reports import committed_report
from bench.readme_sections.committed import measured_conditions, section

HEADINGS = ("model", "M MACs", "M parameters", "median", "ns a thousand MACs", "GFLOP/s")


def groups_section() -> str:
    """A row a network."""
    report = committed_report("groups")
    lines = (
        (
            row["model"],
            f"{row['macs'] / 1e6:.1f}",
            f"{row['parameters'] / 1e6:.2f}",
            f"{row['median']:.2f} {row['unit']}",
            f"{1e9 * row['median'] / row['macs']:.1f}",
            f"{row['gflops']:.1f}",
        )
        for row in report.rows
    )
    conditions = measured_conditions(report, "interleaved rounds")
    return section(HEADINGS, lines, conditions)
