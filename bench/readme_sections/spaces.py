"""Our templates' spaces beside MetaSchedule's own."""

from __future__ import annotations

from bench.committed_reports import committed_report
from bench.readme_sections.committed import conditions, section
from bench.rows import Row

HEADINGS = ("kernel", "template", "of peak", "trials", "MetaSchedule", "of peak", "trials", "ratio")
TARGET = "cortex-a72"


def spaces_section() -> str:
    """A row a kernel: what each search found in the same time."""
    report = committed_report("tuning", TARGET)
    of_kernel: dict[str, dict[str, Row]] = {}
    for row in report.rows:
        of_kernel.setdefault(row["kernel"], {})[row["space"]] = row
    rows = (
        (
            kernel,
            *_found(spaces["template"]),
            *_found(spaces["auto"]),
            f"{spaces['auto']['median'] / spaces['template']['median']:.2f}",
        )
        for kernel, spaces in of_kernel.items()
    )
    what = (
        f"Modelled k cycles of one call on {TARGET}, not measured, the best found in "
        f"{report.rows[0]['seconds']:g} s by two workers on {report.context['cpu']}, "
        f"{report.context['cores']} cores with a load of {report.context['load_before']:.0f}; "
        "trials are those that came in time"
    )
    return section(HEADINGS, rows, conditions(what, report))


def _found(row: Row) -> tuple[str, str, int]:
    """Thousands of cycles, share of the peak, trials."""
    return f"{row['median'] / 1e3:.1f}", f"{row['peak_share']:.1%}", row["trials"]
