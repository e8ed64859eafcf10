"""The paper's Table 8 again: speedups over AlexNet, beside the paper's and the goals."""

from __future__ import annotations

from collections.abc import Iterator

from bench.committed_reports import HERE, WITH_AVX2, committed_report
from bench.readme_sections.committed import conditions, section
from bench.reports import Report
from bench.rows import Row

TARGETS = (HERE, WITH_AVX2, "cortex-a72")
HEADINGS = (
    "core", "input", "network", "fastest engine", "median", "AlexNet / it", "by MACs", "paper",
    "goal",
)  # fmt: skip


def table8_section() -> str:
    """A row a core, input and network, by the fastest engine of it."""
    reports = [committed_report("table8", target) for target in TARGETS]
    lines = [_cells(row) for report in reports for row in report.rows if row["fastest"]]
    return section(HEADINGS, lines, *_conditions(reports))


def _cells(row: Row) -> tuple[str, ...]:
    interval = row.get("speedup_interval")
    within = " ({:.1f} to {:.1f})".format(*interval) if interval else ""
    goal = f"{row['goal']:g}, {'met' if row['goal_met'] else 'missed'}" if "goal" in row else "-"
    return (
        row["core"],
        row["input"],
        row["model"],
        row["engine"],
        f"{row['median']:.2f} {row['unit']}",
        f"{row['speedup_over_alexnet']:.1f}x{within}",
        f"{row['speedup_by_macs']:.1f}x",
        f"{row['paper_speedup']:.1f}x" if "paper_speedup" in row else "-",
        goal,
    )


def _conditions(reports: list[Report]) -> Iterator[str]:
    for report in reports:
        first = report.rows[0]
        where = (
            f"modelled, not measured, {first['core']}"
            if first["kind"] == "modelled"
            else f"measured on {report.context['cpu']}, median of {len(first['samples'])} rounds"
        )
        yield conditions(f"One thread, {where}", report)
