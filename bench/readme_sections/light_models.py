"""What other networks than ours take to build from ONNX."""

from __future__ import annotations

from bench.readme_sections.committed import committed_report, conditions, section

HEADINGS = ("model", "target", "error", "kernels", "generic", "shuffles", "CPU", "memory")


def light_models_section() -> str:
    """A row a network and target."""
    report = committed_report("light-models")
    rows = (
        (
            row["model"],
            row["target"],
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
        "onnx's light models with random weights, through `build.py --onnx`: largest error of all "
        "levels against ONNX Runtime, as a share of the output's range; CPU time and peak memory "
        "of a build that compiles, verifies and times every level up to fused. Measured on "
        f"{report.context['cpu']}, shared"
    )
    return section(HEADINGS, rows, conditions(what, report))
