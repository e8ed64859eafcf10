"""How the cycle model's order of schedules compares with their times."""

from __future__ import annotations

from bench.committed_reports import committed_report
from bench.readme_sections.committed import conditions, section

HEADINGS = (
    "kernel", "schedules", "slowest / fastest", "rank correlation", "pick / best", "median error",
)  # fmt: skip


def model_check_section() -> str:
    """A row a kernel."""
    report = committed_report("model-check")
    rows = [
        (
            row["kernel"],
            len(row["schedules"]),
            f"{row['slowest_to_fastest']:.1f}",
            f"{row['correlation']:.3f}",
            f"{row['pick_slowdown']:.3f}",
            f"{row['relative_error']:.1%}",
        )
        for row in report.rows
    ]
    first = report.rows[0]
    what = (
        f"Code for {first['compiled_for']}, LLVM's model of {first['llvm_model']}, measured on "
        f"{report.context['cpu']}, shared: the fastest of "
        f"{len(first['schedules'][0]['samples_ns'])} rounds; a picture is beside the report"
    )
    return section(HEADINGS, rows, conditions(what, report))
