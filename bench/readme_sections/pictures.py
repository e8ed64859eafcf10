"""Every level beside PyTorch, over the sample's 200 pictures."""

from __future__ import annotations

from bench.committed_reports import committed_report
from bench.readme_sections.committed import conditions, section

HEADINGS = (
    "level", "board", "top-1", "top-5", "same class", "same five best", "largest error",
    "kernels by records",
)  # fmt: skip


def pictures_section() -> str:
    """A row a level and board."""
    report = committed_report("pictures")
    rows = (
        (
            row["level"],
            row["board"],
            f"{row['top1']:.1%}",
            f"{row['top5']:.1%}",
            f"{row['agree']} of {row['pictures']}",
            f"{row['same_best']} of {row['pictures']}",
            f"{max(row['samples']):.1e}",
            f"{row['recorded']} of {row['kernels']}",
        )
        for row in report.rows
    )
    what = (
        f"{report.rows[0]['model']}, the official checkpoint, beside PyTorch; error of a logit, as "
        f"a share of the logits' range. Measured on {report.context['cpu']}"
    )
    return section(HEADINGS, rows, conditions(what, report))
