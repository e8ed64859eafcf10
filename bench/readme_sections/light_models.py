"""What other networks than ours take to build from ONNX."""

from __future__ import annotations

from bench.committed_reports import committed_report
from bench.readme_sections.committed import conditions, section

HEADINGS = (
    "model", "target", "weights", "error", "kernels", "generic", "shuffles", "CPU", "memory",
)  # fmt: skip


def light_models_section() -> str:
    """A row a network, target and kind of weights."""
    report = committed_report("light-models")
    rows = (
        (
            row["model"],
            row["target"],
            row["weights"],
            f"{row['relative_error']:.1e}",
            row["kernels"],
            len(row["generic"]),
            f"{row['shuffles']['imported']} -> {row['shuffles']['left']}",
            f"{row['cpu_s']:.0f} s",
            f"{row['peak_bytes'] / 1e9:.1f} GB",
        )
        for row in report.rows
    )
    what = (
        "onnx's light models with the weights of the files (shipped: most are equal, and a wrong "
        "shuffle does not show) and with random ones, through `build.py --onnx`: largest error of "
        "all levels against ONNX Runtime, as a share of the output's range; CPU time and peak "
        "memory of a build that compiles, verifies and times every level up to fused. Measured on "
        f"{report.context['cpu']}, shared"
    )
    return section(HEADINGS, rows, conditions(what, report))
