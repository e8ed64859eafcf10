"""How near every build is to PyTorch."""

from __future__ import annotations

from bench.committed_reports import committed_report
from bench.numerics import summary
from bench.readme_sections.committed import conditions, section

HEADINGS = ("target", "level", "threads", "networks and sizes", "largest error", "of")


def numerics_section() -> str:
    """A row a target, level and number of threads."""
    report = committed_report("numerics")
    models, sizes = ({row[name] for row in report.rows} for name in ("model", "input"))
    what = (
        f"{len(models)} networks, {len(sizes)} input sizes; errors as shares of the logits' range, "
        "largest of two random inputs; every number of threads gives the same bits. Measured on "
        f"{report.context['cpu']}"
    )
    return section(HEADINGS, summary(report.rows), conditions(what, report))
