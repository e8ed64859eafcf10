"""Whether the bench is right: the same ratio by its workers and without them."""

from __future__ import annotations

from bench.committed_reports import committed_report
from bench.independent import ratios
from bench.readme_sections.committed import measured_conditions, section
from bench.rows import ENGINE

HEADINGS = ("measured by", "ours", "ONNX Runtime", "ONNX Runtime over ours")


def independent_section() -> str:
    """A row a way of measuring."""
    report = committed_report("independent")
    median = {(row["process"], row["engine"] == ENGINE): row["median"] for row in report.rows}
    lines = (
        (
            process,
            f"{median[process, True]:.3f} ms",
            f"{median[process, False]:.3f} ms",
            f"{ratio:.3f}",
        )
        for process, ratio in ratios(report.rows).items()
    )
    conditions = measured_conditions(report, "interleaved rounds")
    return section(HEADINGS, lines, f"{report.rows[0]['model']}. {conditions}")
