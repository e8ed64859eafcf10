"""What the cycle model says of an engine, beside what its authors publish of real boards."""

from __future__ import annotations

from bench.committed_reports import committed_report
from bench.published_times import ENGINE, MODEL, published_and_modelled
from bench.readme_sections.committed import conditions, section

HEADINGS = ("board", "published", "published Mcycles", "modelled Mcycles", "published / modelled")


def published_times_section() -> str:
    """A row a board."""
    report = committed_report("peers", "cortex-a72")
    rows = [
        (
            each.board,
            f"{each.ms:.2f} ms at {each.clock_mhz} MHz",
            f"{each.mcycles:.1f}",
            f"{mcycles:.1f}",
            f"{factor:.2f}x",
        )
        for each, mcycles, factor in published_and_modelled(report.rows)
    ]
    what = (
        f"{ENGINE}, {MODEL}, one thread; published: ncnn's benchmark/README.md, the least of its "
        "runs, not the version that was modelled"
    )
    return section(HEADINGS, rows, conditions(what, report))
