"""The timeline of a network, its largest kernels, and the roofline they stand under."""

from __future__ import annotations

import pytest

from bench.report_page.content import BarChart, Plot, Timeline
from bench.report_page.kernels import layer_blocks, timeline, tone
from bench.report_page.roofline import roofline
from tests.report_rows import a_report, a_row, kernel_row, layer_rows

MACHINE = {"bandwidth": {"unit": "GB/s", "median": 12.5}}


def the_roofline(*rows: dict, **context: object) -> Plot:
    (plot,) = roofline(a_report(*rows, **context), rows, tone, [])
    return plot


def test_a_network_has_timeline_largest_kernels_roofline_and_every_row() -> None:
    rows = layer_rows()
    (block,) = layer_blocks(a_report(*rows), rows)
    assert [type(figure) for figure in block.figures] == [Timeline, BarChart, Plot]
    assert [row[0] for row in block.tables[0].rows] == [row["kernel"] for row in rows]
    assert block.tables[0].has_total
    assert "median of 9 samples" in block.conditions
    assert any("multiply-adds (1)" in note for note in block.notes)


def test_two_levels_are_two_blocks() -> None:
    rows = [row | {"level": level} for level in ("unfused", "fused") for row in layer_rows()]
    headings = [block.heading for block in layer_blocks(a_report(*rows), rows)]
    assert headings == [
        "shufflenet-1.0x-g3, 224x224, unfused on skylake",
        "shufflenet-1.0x-g3, 224x224, fused on skylake",
    ]


def test_segments_stand_in_order_as_wide_as_time_and_as_high_as_the_peak_share() -> None:
    first, second, *_ = timeline(layer_rows()[:-1], []).segments
    assert (first.x, first.width, first.height) == (0, 50, 80)
    assert (second.x, second.width, second.height) == (50, 20, 10)
    assert "pointwise3_joined, 3 calls: 50.0 % of the network" in first.text


def test_kernels_that_take_more_than_the_network_still_fit() -> None:
    rows = [kernel_row("conv", 0.9, 1000), kernel_row("pool", 0.6, 0)]
    segments = timeline(rows, []).segments
    assert sum(segment.width for segment in segments) == pytest.approx(100)


@pytest.mark.parametrize(
    ("kernel", "colour"),
    [
        ("pointwise7_joined", "kind1"),
        ("window_conv3", "kind2"),
        ("window_average_joined", "kind3"),
        ("head", "kind4"),
        ("fused_conv2d_add", "kind5"),
    ],
)
def test_a_kernels_colour_is_that_of_what_it_is(kernel: str, colour: str) -> None:
    assert tone({"kernel": kernel}) == colour


def test_the_peak_is_the_one_that_the_rows_state_their_share_of() -> None:
    plot = the_roofline(*layer_rows()[:-1])
    (line,) = plot.lines
    assert line.label == "peak 100.0 GFLOP/s"
    assert line.is_level
    assert len(plot.points) == 3  # the pool computes nothing
    assert "bandwidth of memory is not known" in plot.description


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
