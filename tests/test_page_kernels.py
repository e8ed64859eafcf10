"""A network's block: the timeline of its kernels, the largest of them, and all rows."""

from __future__ import annotations

import pytest

from bench.report_page.content import BarChart, Plot, Timeline
from bench.report_page.kernels import layer_blocks, timeline, tone
from compile.lower import lower
from compile.source import random_network
from compile.targets import parse_target
from tests.report_rows import a_report, kernel_row, layer_rows


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
        ("stem_pool", "kind2"),
        ("window_average_joined", "kind3"),
        ("head", "kind4"),
        ("fused_conv2d_add", "kind5"),
    ],
)
def test_a_kernels_colour_is_that_of_what_it_is(kernel: str, colour: str) -> None:
    assert tone({"kernel": kernel}) == colour


@pytest.mark.parametrize("target", ["host", "cortex-a72"])
def test_no_kernel_of_a_fused_shufflenet_is_of_another_kind(target: str) -> None:
    network = random_network("shufflenet-0.25x-g3", input_size=(64, 64))
    names = [kernel.name for kernel in lower(network, "fused", parse_target(target)).kernels]
    assert [name for name in names if tone({"kernel": name}) == "kind5"] == []
