"""The suite model-check: every schedule's modelled cycles against its measured time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from bench.model_check_report import WANTED_CORRELATION, WANTED_SLOWDOWN, WITH_GOAL
from bench.report_page.blocks import plain_blocks
from bench.report_page.content import Block, Line, Plot, Point
from bench.report_page.numbers import number, percent, ratio
from bench.report_page.roofline import BOTTOM, LEFT, RIGHT, TOP
from bench.report_page.scales import Axis, axis_around
from bench.reports import Report
from bench.rows import Row

TITLE = "The cycle model against measured times"
LEAD = (
    "Many schedules of a kernel, each modelled and timed on the same machine. Wanted of "
    f"{', '.join(WITH_GOAL)}: a rank correlation of {WANTED_CORRELATION:g} or more, and the "
    f"model's pick at most {WANTED_SLOWDOWN:g} times slower than the best schedule."
)


def model_check_blocks(report: Report, rows: Sequence[Row]) -> Iterator[Block]:
    """A scatter for each kernel, and the table of what each comes to."""
    for block in plain_blocks(report, rows, lambda group: [scatter(row) for row in group]):
        yield dataclasses.replace(block, heading=f"this machine ({rows[0]['core']})")


def scatter(row: Row) -> Plot:
    """Every schedule of one kernel, and the line of the factor that all kernels share."""
    kcycles = [each["modelled_cycles"] / 1e3 for each in row["schedules"]]
    times_us = [each["measured_ns"] / 1e3 for each in row["schedules"]]
    x = axis_around("modelled kcycles", kcycles, LEFT, RIGHT)
    y = axis_around("measured us", times_us, BOTTOM, TOP)
    picked = kcycles.index(min(kcycles))
    return Plot(
        title=f"{row['kernel']}: rank correlation {row['correlation']:.3f}",
        description=(
            f"{len(kcycles)} schedules. The one with the least modelled cycles takes "
            f"{ratio(row['pick_slowdown'])} the time of the fastest; median error "
            f"{percent(row['relative_error'])} at {number(row['ns_per_cycle'])} ns a cycle, the "
            "line, which all kernels share."
        ),
        x=x,
        y=y,
        points=[
            Point(x.place(cycles), y.place(us), 4.5, "kind2" if n == picked else "kind1",
                  f"schedule {n}: {number(cycles)} modelled kcycles, {number(us)} us measured")
            for n, (cycles, us) in enumerate(zip(kcycles, times_us, strict=True))
        ],
        lines=list(_shared_factor(x, y, row["ns_per_cycle"])),
        legend=[("kind1", "a schedule"), ("kind2", "the model's pick")],
    )  # fmt: skip


def _shared_factor(x: Axis, y: Axis, us_per_kcycle: float) -> Iterator[Line]:
    """From one end of the axes to the other, where it passes between them at all."""
    low, high = max(x.low, y.low / us_per_kcycle), min(x.high, y.high / us_per_kcycle)
    if low < high:
        (x1, y1), (x2, y2) = ((x.place(at), y.place(us_per_kcycle * at)) for at in (low, high))
        yield Line(x1, y1, x2, y2)
