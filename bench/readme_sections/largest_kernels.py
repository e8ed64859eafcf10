"""The kernels in which ShuffleNet 1x g3 spends most of its time on a machine."""

from __future__ import annotations

from bench.committed_reports import HERE, committed_report
from bench.layers import TOTAL
from bench.readme_sections.committed import conditions, section

SHOWN = 8
HEADINGS = ("kernel", "calls", "M MACs a call", "us a call", "of the FMA peak", "of the network")


def largest_kernels_section(target: str = HERE) -> str:
    """A row a kernel, the largest share of the network first; the network last."""
    report = committed_report("layers", target)
    rows = [row for row in report.rows if row["suite"] == "layers"]
    kernels = [row for row in rows if row["kernel"] != TOTAL]
    largest = sorted(kernels, key=lambda row: row["network_share"], reverse=True)[:SHOWN]
    total = next(row for row in rows if row["kernel"] == TOTAL)
    lines = (
        (
            f"all {len(kernels)}" if row is total else f"`{row['kernel']}`",
            row["calls"],
            f"{row['macs'] / 1e6:.2f}",
            f"{row['median']:.1f}",
            f"{row['peak_share']:.1%}" if row["macs"] else "-",
            f"{row['network_share']:.1%}",
        )
        for row in [*largest, total]
    )
    what = (
        f"{total['model']} at {total['input']}, {total['level']}, {total['kind']} on "
        f"{report.context['cpu']}, one core; median of {len(total['samples'])} rounds; last row: "
        "one whole inference, and what all kernels alone add up to"
    )
    return section(HEADINGS, lines, conditions(what, report))
