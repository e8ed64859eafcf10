"""What the other engines take, as multiples of our time, on this machine and on modelled cores."""

from __future__ import annotations

from collections.abc import Iterator

from bench.committed_reports import HERE, WITH_AVX2, committed_report
from bench.readme_sections.committed import section, several
from bench.reports import Report
from bench.rows import ENGINE

TARGETS = ("cortex-a72", "neoverse-n1", HERE, WITH_AVX2)
ENGINES = ("onnxruntime", "ncnn", "mnn", "litert")
HEADINGS = ("core", "network", "ours", *ENGINES)


def headline_section() -> str:
    """A row a core and network: our fastest level, and how many times that others take."""
    reports = [committed_report("peers", target) for target in TARGETS]
    rows = [row for report in reports for row in _rows(report)]
    machines = [each.context["cpu"] for each in reports if each.rows[0]["kind"] == "measured"]
    what = (
        f"float32 at {reports[0].rows[0]['input']}, one thread; ours at the level named, of which "
        "fused is untuned. Mcycles are modelled, not measured; ms are measured on "
        f"{' and '.join(machines)}, shared"
    )
    return section(HEADINGS, rows, *several(what, reports))


def _rows(report: Report) -> Iterator[tuple[str, ...]]:
    for model in dict.fromkeys(row["model"] for row in report.rows):
        of_model = [row for row in report.rows if row["model"] == model]
        ours = min(
            (row for row in of_model if row["engine"] == ENGINE), key=lambda row: row["median"]
        )
        others = {row["engine"]: f"{row['median'] / ours['median']:.2f}x" for row in of_model}
        time = f"{ours['median']:.2f} {ours['unit']}, {ours['level']}"
        yield (ours["core"], model, time, *(others.get(engine, "-") for engine in ENGINES))
