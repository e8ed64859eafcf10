"""Other engines on the modelled cores, beside ours in the same number format."""

from __future__ import annotations

from collections.abc import Iterator

from bench.committed_reports import committed_report
from bench.readme_sections.committed import engine_of, section, several
from bench.reports import Report
from bench.rows import ENGINE

TARGETS = ("cortex-a72", "neoverse-n1", "neoverse-n1-float16", "neoverse-n1-int8")
HEADINGS = (
    "modelled core", "number format", "model", "engine", "M instructions", "modelled Mcycles",
    "of peak", "of ours", "L1 / L2 misses",
)  # fmt: skip


def modelled_peers_section() -> str:
    """A row a core, network and engine, ours first."""
    reports = [committed_report("peers", target) for target in TARGETS]
    rows = [row for report in reports for row in _rows(report)]
    first = reports[0].rows[0]
    what = f"At {first['input']}, one thread; modelled, not measured"
    return section(HEADINGS, rows, *several(what, reports))


def _rows(report: Report) -> Iterator[tuple[str, ...]]:
    ours = {row["model"]: row["median"] for row in report.rows if row["engine"] == ENGINE}
    for row in report.rows:
        yield (
            row["core"],
            row["target"].removeprefix(row["core"]).lstrip("-") or "float32",
            row["model"],
            engine_of(row),
            f"{row['instructions'] / 1e6:.1f}",
            f"{row['median']:.2f}",
            f"{row['peak_share']:.1%}",
            f"{row['median'] / ours[row['model']]:.2f}x",
            f"{row['l1_misses'] / 1e6:.2f} M / {row['l2_misses'] / 1e6:.2f} M",
        )
