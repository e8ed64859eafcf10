"""The roofline: dots under the peak, and under the memory's slope where that was measured."""

from __future__ import annotations

import pytest

from bench.report_page.content import Plot
from bench.report_page.kernels import tone
from bench.report_page.roofline import roofline
from tests.report_rows import a_report, a_row, kernel_row, layer_rows

MACHINE = {"bandwidth": {"unit": "GB/s", "median": 12.5}}


def the_roofline(*rows: dict, **context: object) -> Plot:
    (plot,) = roofline(a_report(*rows, **context), rows, tone, [])
    return plot


def test_the_peak_is_the_one_that_the_rows_state_their_share_of() -> None:
    plot = the_roofline(*layer_rows()[:-1])
    (line,) = plot.lines
    assert line.label == "peak 100.0 GFLOP/s"
    assert line.is_level
    assert len(plot.points) == 3  # the pool computes nothing
    assert "bandwidth of memory is not known" in plot.description


def test_kernels_of_int8_reach_operations_that_are_none_of_floats() -> None:
    plot = the_roofline(*(row | {"dtype": "int8"} for row in layer_rows()[:-1]))
    assert [line.label for line in plot.lines] == ["peak 100.0 GOP/s"]
    assert tone({"kernel": "int8_pointwise1"}) == tone({"kernel": "pointwise1"})


def test_the_memorys_slope_ends_where_it_meets_the_peak() -> None:
    plot = the_roofline(*layer_rows()[:-1], machine=MACHINE)
    peak, memory = plot.lines
    assert (memory.x2, memory.y2) == (peak.x1, peak.y1)
    assert plot.x.place(100 / (2 * 12.5)) == pytest.approx(peak.x1)
    assert memory.label == "memory 12.50 GB/s"


@pytest.mark.parametrize(("bandwidth", "lines"), [(1e-3, ["memory"]), (1e6, ["peak"])])
def test_a_bound_outside_of_the_axes_is_left_out(bandwidth: float, lines: list[str]) -> None:
    machine = {"bandwidth": {"median": bandwidth}}
    plot = the_roofline(*layer_rows()[:2], machine=machine)
    drawn = [line for line in plot.lines if plot.y.place(plot.y.low) >= line.y1]
    assert [line.label.split()[0] for line in drawn] in (lines, [])


def test_modelled_kernels_have_a_peak_in_multiply_adds_a_cycle_and_no_bandwidth() -> None:
    row = a_row([100.0], kind="modelled", unit="kcycles", kernel="pointwise", macs=360_000)
    row |= {"bytes": 90_000, "peak_share": 0.9, "network_share": 1.0}
    plot = the_roofline(row, machine=MACHINE)
    assert [line.label for line in plot.lines] == ["peak 4.000 multiply-adds a cycle"]


def test_without_multiply_adds_there_is_no_roofline() -> None:
    assert list(roofline(a_report(a_row()), [kernel_row("pool", 0.1, 0)], tone, [])) == []
