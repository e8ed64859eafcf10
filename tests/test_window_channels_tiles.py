"""The default tile of a window with channels in the lanes fits the registers and the picture."""

from __future__ import annotations

import dataclasses

import pytest

from compile.schedules.registers import accumulator_budget
from compile.schedules.window_channels_tiles import default_tile, fitting_tiles, sums_alive
from deploy_rpc.cores import Core
from tests.cores import A72, AVX512
from tests.test_window_channels import WORKLOADS, in_channels


@pytest.mark.parametrize("core", [A72, AVX512], ids=lambda core: core.name)
@pytest.mark.parametrize("name", WORKLOADS)
def test_the_accumulators_fit_the_registers(name: str, core: Core) -> None:
    w = in_channels(name)
    tile = default_tile(w, core)
    assert sums_alive(w, tile.pixels) * tile.vectors <= accumulator_budget(core)
    assert tile.pixels <= w.output_size[1]
    assert tile.width <= (w.channels if w.is_channelwise else w.outputs)


@pytest.mark.parametrize(
    ("name", "sums"), [("average pool", 2), ("max pool", 7), ("depthwise 7", 7)]
)
def test_an_average_keeps_the_sums_of_pixels_that_share_a_column(name: str, sums: int) -> None:
    assert sums_alive(in_channels(name), pixels=7) == sums


@pytest.mark.parametrize(("channels", "vectors"), [(24, 1), (240, 3), (480, 3)])
def test_an_average_reads_long_pieces_that_overlap_little(channels: int, vectors: int) -> None:
    w = in_channels("average pool", groups=channels, size=(28, 28))
    tile = default_tile(w, AVX512)
    assert (tile.pixels, tile.vectors, tile.lanes) == (7, vectors, AVX512.lanes)


@pytest.mark.parametrize(
    ("channels", "side", "outer"),
    [
        (24, 56, False),  # L1 keeps three rows of all channels
        (240, 28, True),
        (480, 14, True),
        (240, 80, False),  # 6 MB, more than L2
    ],
)
def test_an_average_walks_the_rows_by_channels_where_l1_keeps_a_part_of_them(
    channels: int, side: int, outer: bool
) -> None:
    w = in_channels("average pool", groups=channels, size=(side, side))
    assert default_tile(w, AVX512).channels_outer == outer


def test_both_orders_of_an_average_are_open_where_it_has_several_tiles_of_channels() -> None:
    w = in_channels("average pool", groups=240, size=(28, 28))
    default, other = fitting_tiles(w, AVX512)
    assert default == default_tile(w, AVX512)
    assert other == dataclasses.replace(default, channels_outer=not default.channels_outer)
    (only,) = fitting_tiles(dataclasses.replace(w, groups=16), AVX512)
    assert not only.channels_outer


def test_an_average_that_shares_no_column_takes_many_pixels() -> None:
    w = in_channels("average pool", groups=240, size=(28, 28), kernel=(2, 2), padding=(0, 0))
    assert default_tile(w, AVX512).pixels == 7


@pytest.mark.parametrize(
    ("channels", "stride", "tile"), [(60, 1, (14, 1)), (64, 1, (7, 2)), (60, 2, (7, 2))]
)
def test_close_taps_of_uneven_channels_take_many_pixels_of_a_vector(
    channels: int, stride: int, tile: tuple[int, int]
) -> None:
    w = in_channels("depthwise 7", groups=channels, size=(28 * stride, 28 * stride), stride=stride)
    chosen = default_tile(w, AVX512)
    assert (chosen.pixels, chosen.vectors) == tile
