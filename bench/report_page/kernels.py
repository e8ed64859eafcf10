"""The suite layers: a network's kernels in order, the largest, their roofline, and all rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.layers import TOTAL
from bench.modelled_layers import WHOLE
from bench.report_page.bars import Item, bar_chart
from bench.report_page.blocks import grouped
from bench.report_page.conditions import conditions
from bench.report_page.content import BarChart, Block, Segment, Timeline
from bench.report_page.numbers import number, percent
from bench.report_page.roofline import roofline
from bench.report_page.tables import rows_table
from bench.reports import Report
from bench.rows import Row

TITLE = "Where the time goes"
LEAD = (
    "Every kernel of a network: its share of the network's time, how much of the core's peak it "
    "reaches, and whether the peak or memory bounds it."
)
NETWORK = ("target", "core", "kind", "model", "input", "level", "threads")
KERNEL_KINDS = {  # tone by how a kernel's name begins, the first that fits; and what it is called
    "pointwise": ("kind1", "pointwise convolution"),
    "window_conv": ("kind2", "windowed convolution"),
    "stem_pool": ("kind2", "windowed convolution"),
    "window_": ("kind3", "pool"),
    "pool": ("kind3", "pool"),
    "head": ("kind4", "dense"),
    "dense": ("kind4", "dense"),
    "": ("kind5", "other"),
}
LARGEST = 8  # kernels in the chart of the largest


def layer_blocks(report: Report, rows: Sequence[Row]) -> Iterator[Block]:
    """A block for each network whose kernels `rows` hold."""
    for group in grouped(rows, NETWORK):
        kernels = [row for row in group if row["kernel"] not in (TOTAL, WHOLE)]
        first = group[0]
        legend = _legend(kernels)
        yield Block(
            heading=f"{first['model']}, {first['input']}, {first['level']} on {first['core']}",
            kind=first["kind"],
            conditions=conditions(report, group),
            source=report.name,
            figures=[
                timeline(kernels, legend),
                largest(kernels),
                *roofline(report, kernels, tone, legend),
            ],
            tables=[rows_table(group, has_total=len(group) > len(kernels))],
            notes=_notes(kernels),
        )


def timeline(kernels: Sequence[Row], legend: Sequence[tuple[str, str]]) -> Timeline:
    """Kernels in order: as wide as their share of the time, as high as their share of the peak."""
    shares = [row["network_share"] for row in kernels]
    whole = max(1.0, sum(shares))
    segments, x = [], 0.0
    for row, share in zip(kernels, shares, strict=True):
        width = 100 * share / whole
        text = f"{_called(row)}: {percent(share)} of the network, {_peak(row)}"
        height = 100 * min(row["peak_share"], 1)
        segments.append(Segment(round(x, 3), round(width, 3), round(height, 1), tone(row), text))
        x += width
    description = (
        f"{len(kernels)} kernels in order of their first call, all calls of a kernel together. "
        f"Together they take {percent(sum(shares))} of the network's time."
    )
    return Timeline("Timeline: width is time, height is share of the peak", description, segments,
                    legend)  # fmt: skip


def largest(kernels: Sequence[Row]) -> BarChart:
    """The kernels that take the largest shares of the network's time."""
    ranked = sorted(kernels, key=lambda row: row["network_share"], reverse=True)[:LARGEST]
    items = [
        Item(_called(row), row["network_share"], percent(row["network_share"]), tone(row))
        for row in ranked
    ]
    told = "; ".join(f"{item.label}: {item.text}" for item in items)
    return bar_chart("The largest shares of the network's time", told, items)


def tone(row: Row) -> str:
    """The colour of a kernel, by what it is, in int8 as in floats."""
    name = row["kernel"].removeprefix("int8_")
    return next(colour for start, (colour, _) in KERNEL_KINDS.items() if name.startswith(start))


def _legend(kernels: Sequence[Row]) -> list[tuple[str, str]]:
    there = {tone(row) for row in kernels}
    return [each for each in dict.fromkeys(KERNEL_KINDS.values()) if each[0] in there]


def _notes(kernels: Sequence[Row]) -> list[str]:
    measured = kernels[0]["kind"] == "measured"
    without = sum(not row["macs"] for row in kernels)
    return [
        *(["Each kernel is timed alone, its tensors in cache; the network's own time has cold "
           "caches in it."] if measured else []),
        *([f"Kernels without multiply-adds ({without}) are flat in the timeline and have no place "
           "in the roofline."] if without else []),
    ]  # fmt: skip


def _called(row: Row) -> str:
    return row["kernel"] if row["calls"] == 1 else f"{row['kernel']}, {row['calls']} calls"


def _peak(row: Row) -> str:
    computes = f"{percent(row['peak_share'])} of the peak" if row["macs"] else "no multiply-adds"
    return f"{computes}, {number(row['median'])} {row['unit']} a call"
