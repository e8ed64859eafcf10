"""The roofline: what each kernel reaches, under the core's peak and the memory's bandwidth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.report_page.content import Line, Plot, Point
from bench.report_page.numbers import number, percent
from bench.report_page.scales import Axis, axis_around
from bench.reports import Report
from bench.rows import Row

LEFT, RIGHT, TOP, BOTTOM = 11.0, 94.0, 12.0, 86.0  # percent of the figure that the axes span
FLOPS_PER_MAC = 2


@dataclass(frozen=True)
class Roof:
    """The bounds, in `unit`: `peak`, and `bandwidth` in GB/s where it was measured."""

    unit: str
    peak: float
    bandwidth: float | None

    def memory_bound(self, intensity: float) -> float:
        """GFLOP/s that the bandwidth allows at so many multiply-adds per byte."""
        return FLOPS_PER_MAC * self.bandwidth * intensity


def roofline(
    report: Report,
    kernels: Sequence[Row],
    tone: Callable[[Row], str],
    legend: Sequence[tuple[str, str]],
) -> Iterator[Plot]:
    """One plot, or none where no kernel has multiply-adds and bytes.

    Intensity is multiply-adds per byte of the buffers, each counted once. The peak is that against
    which the rows state their share; a dot's area is the kernel's share of the network's time.
    """
    shown = [
        row
        for row in kernels
        if row["macs"] and row.get("bytes") and row["peak_share"] and _rate(row)
    ]
    if not shown:
        return
    roof = _roof(report, shown[0])
    x = axis_around("multiply-adds per byte", [_intensity(row) for row in shown], LEFT, RIGHT)
    y = axis_around(roof.unit, [*(_rate(row) for row in shown), roof.peak], BOTTOM, TOP)
    tones = {tone(row) for row in shown}
    yield Plot(
        title="Roofline",
        description=_description(shown, roof),
        x=x,
        y=y,
        points=[
            Point(
                x.place(_intensity(row)), y.place(_rate(row)), _radius(row), tone(row), _told(row)
            )
            for row in shown
        ],
        lines=list(_lines(x, y, roof)),
        legend=[each for each in legend if each[0] in tones],
    )


def _roof(report: Report, row: Row) -> Roof:
    """Of the machine that `row` is of; the bandwidth is one core's, so it bounds one thread."""
    bandwidth = (report.context.get("machine") or {}).get("bandwidth")
    is_bound = bandwidth and row["kind"] == "measured" and row["threads"] == 1
    peak = _rate(row) / row["peak_share"]
    return Roof(_unit(row), peak, bandwidth["median"] if is_bound else None)


def _rate(row: Row) -> float:
    """What the kernel reaches: GFLOP/s or, in int8, GOP/s where it was timed, else multiply-adds
    a cycle.
    """
    return row["gflops"] if "gflops" in row else row["macs"] / (1e3 * row["median"])


def _unit(row: Row) -> str:
    if "gflops" not in row:
        return "multiply-adds a cycle"
    return "GOP/s" if row.get("dtype") == "int8" else "GFLOP/s"


def _intensity(row: Row) -> float:
    return row["macs"] / row["bytes"]


def _lines(x: Axis, y: Axis, roof: Roof) -> Iterator[Line]:
    """The peak as a level line, and the bandwidth as a slope up to it, both inside the axes."""
    label = f"peak {number(roof.peak)} {roof.unit}"
    if roof.bandwidth is None:
        yield Line(x.start, y.place(roof.peak), x.end, y.place(roof.peak), label)
        return
    ridge = roof.peak / roof.memory_bound(1)
    if ridge < x.high:
        start = x.place(max(ridge, x.low))
        yield Line(start, y.place(roof.peak), x.end, y.place(roof.peak), label)
    foot, top = max(x.low, y.low / roof.memory_bound(1)), min(ridge, x.high)
    if foot < top:
        ends = [(x.place(at), y.place(roof.memory_bound(at))) for at in (foot, top)]
        yield Line(*ends[0], *ends[1], f"memory {number(roof.bandwidth)} GB/s")


def _radius(row: Row) -> float:
    return round(3 + 14 * math.sqrt(max(row["network_share"], 0)), 2)


def _told(row: Row) -> str:
    return (
        f"{row['kernel']}: {number(_intensity(row))} multiply-adds per byte, {number(_rate(row))} "
        f"{_unit(row)}, {percent(row['peak_share'])} of the peak"
    )


def _description(shown: Sequence[Row], roof: Roof) -> str:
    intensities, rates = sorted(map(_intensity, shown)), sorted(map(_rate, shown))
    memory = (
        f"one core reads {number(roof.bandwidth)} GB/s from memory, and a dot above that line had "
        "its tensors in cache"
        if roof.bandwidth
        else "the bandwidth of memory is not known here, so it bounds nothing"
    )
    return (
        f"{len(shown)} kernels, {number(intensities[0])} to {number(intensities[-1])} multiply-"
        f"adds per byte of their buffers, {number(rates[0])} to {number(rates[-1])} {roof.unit}. "
        f"The peak is {number(roof.peak)} {roof.unit}; {memory}. A dot's area is the kernel's "
        "share of the network's time."
    )
