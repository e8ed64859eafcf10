"""Other engines on the modelled cores, beside ours."""

from __future__ import annotations

from collections.abc import Iterator

from bench.readme_sections.committed import committed_report, made, markdown
from bench.reports import Report

CORES = ("cortex-a72", "neoverse-n1")
HEADINGS = (
    "modelled core", "engine", "M instructions", "modelled Mcycles", "of peak", "of ours",
    "L1 / L2 misses",
)  # fmt: skip


def modelled_peers_section() -> str:
    """A row a core and engine, ours first."""
    reports = [committed_report("peers", core) for core in CORES]
    rows = [row for report in reports for row in _rows(report)]
    first = reports[0].rows[0]
    conditions = (
        f"{first['model']} at {first['input']}, float32, one thread, untuned; modelled, not "
        f"measured; {made(reports[0])}; reports: {', '.join(f'`{each.name}`' for each in reports)}."
    )
    return "\n".join([*markdown(HEADINGS, rows), "", conditions])


def _rows(report: Report) -> Iterator[tuple[str, ...]]:
    ours = report.rows[0]["median"]
    for row in report.rows:
        yield (
            row["core"],
            row["engine"],
            f"{row['instructions'] / 1e6:.1f}",
            f"{row['median']:.2f}",
            f"{row['peak_share']:.1%}",
            f"{row['median'] / ours:.2f}x",
            f"{row['l1_misses'] / 1e6:.2f} M / {row['l2_misses'] / 1e6:.2f} M",
        )
