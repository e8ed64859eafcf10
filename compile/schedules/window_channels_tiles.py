"""Tiles of a window with channels in the lanes, the default one by its modelled cycles."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from compile.schedules.maximum import has_maxnum
from compile.schedules.overlap import tile_starts
from compile.schedules.registers import (
    WINDOW_COSTS,
    accumulator_budget,
    has_avx512,
    tile_cycles,
)
from compile.schedules.tiles import lane_choices
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core

MAX_VECTORS_OF_CHANNELWISE = 2  # more lengthen the code, and share nothing; averages are shorter
PIXELS_OF_CHANNELWISE = 8
# With AVX-512 and stride 1 neighbours share most inputs, of which LLVM loads each once: in 1x g3 14
# pixels of a vector take 4.1 us instead of 4.7 by 7 of two at 28x28x60, 1.7 instead of 1.9 at
# 14x14x120, 5.0 instead of 5.1 at 14x14x240; 7 pixels of a vector 0.79 instead of 0.76 at 7x7x240.
# With stride 2 9.8 instead of 8.6. Where two vectors divide the channels two are faster, of
# MobileNet by 0.5 % (in the network, one thread of an EPYC, Zen 5, 2026-11-27).
PIXELS_OF_CLOSE_TAPS = 14
# Of averages, which keep few sums: 14x14x480 takes 4.7, 4.3, 3.1, 2.8 and 2.8 us by 1 to 5 vectors
# alone, but 3.1 to 3.6 by 3, 3.4 to 3.9 by 5 in the network, which fetches their code for one call;
# 28x28x240 7.7 to 8.2 and 8.0 to 8.5 (one thread of an EPYC, Zen 5, AVX-512, 2026-11-27).
MAX_VECTORS_OF_AVERAGE = 3
FEW_INPUTS = 4  # of a picture
# By one vector of few inputs, with AVX-512: the stem of 24 channels at 224 takes 95 us in tiles of
# 8 pixels, 120 of 12, 138 of 16 (one thread of an EPYC, Zen 5, 2026-11-26).
MOST_PIXELS_OF_A_VECTOR = 8


@dataclass(frozen=True)
class WindowChannelsTile:
    """The decisions: `pixels` of one row x `vectors` of `lanes` channels are accumulators; of an
    average fewer are at a time (`sums_alive`). With `channels_outer` a channelwise window walks
    its rows once for each tile of channels, else once for all of them.
    """

    pixels: int
    vectors: int
    lanes: int
    maxnum: bool = False
    channels_outer: bool = False

    @property
    def width(self) -> int:
        """Channels of a tile."""
        return self.vectors * self.lanes


def default_tile(workload: WindowWorkload, core: Core) -> WindowChannelsTile:
    """The best tile whose accumulators fit the registers: the one of the least modelled cycles, of
    an average the one that reads least, and of these the one of most pixels.
    """
    _, columns = workload.output_size
    budget = accumulator_budget(core)
    max_pixels, max_vectors = _limits(workload, core, budget)
    extent = _channel_extent(workload)
    fitting = [
        WindowChannelsTile(pixels, vectors, lanes, has_maxnum(core))
        for lanes in lane_choices(extent, core)
        for pixels, vectors in itertools.product(
            range(1, max_pixels + 1), range(1, max_vectors + 1)
        )
        if pixels <= columns and vectors * lanes <= extent
        if sums_alive(workload, pixels) * vectors <= budget
        if not (vectors == 1 and pixels > MOST_PIXELS_OF_A_VECTOR and _is_narrow(workload, core))
    ]
    if workload.is_average:
        best = min(fitting, key=lambda tile: (_values_read(workload, core, tile), -tile.pixels))
        outer = channel_tiles(workload, best) > 1 and _keeps_rows_by_parts(workload, core)
        return dataclasses.replace(best, channels_outer=outer)
    return min(fitting, key=lambda tile: _modelled_cycles(workload, core, tile))


def fitting_tiles(workload: WindowWorkload, core: Core) -> Iterator[WindowChannelsTile]:
    """The default tile, and of averages the one that walks its rows the other way."""
    tile = default_tile(workload, core)
    yield tile
    if workload.is_average and channel_tiles(workload, tile) > 1:
        yield dataclasses.replace(tile, channels_outer=not tile.channels_outer)


def sums_alive(workload: WindowWorkload, pixels: int) -> int:
    """Pixels of a tile of `pixels` whose sums are in registers at a time: all, but of an average
    those that share a column of taps.
    """
    shared = -(-workload.kernel[1] // workload.stride) if workload.is_average else pixels
    return min(shared, pixels)


def _limits(workload: WindowWorkload, core: Core, budget: int) -> tuple[int, int]:
    """Most pixels and vectors."""
    if not workload.is_channelwise:
        return budget, budget
    if workload.is_average:
        return PIXELS_OF_CHANNELWISE, MAX_VECTORS_OF_AVERAGE
    is_close = workload.kind == "conv" and workload.stride == 1
    is_uneven = workload.channels % (MAX_VECTORS_OF_CHANNELWISE * core.lanes) > 0
    if is_close and is_uneven and has_avx512(core):
        return PIXELS_OF_CLOSE_TAPS, 1
    return PIXELS_OF_CHANNELWISE, MAX_VECTORS_OF_CHANNELWISE


def _keeps_rows_by_parts(workload: WindowWorkload, core: Core) -> bool:
    """Whether L1 keeps the rows of taps, for the next row of windows, of some channels only; where
    L2 does not have the picture either, whole lines come faster one behind the other.
    """
    row = workload.size[1] * workload.channels * core.value_bytes
    far = row * workload.kernel[0] > core.l1d_kib * 1024
    return far and row * workload.size[0] <= core.l2_kib * 1024


def _is_narrow(workload: WindowWorkload, core: Core) -> bool:
    """Whether one vector by many pixels is known to be slow."""
    few = not workload.is_channelwise and workload.inputs <= FEW_INPUTS
    return has_avx512(core) and few


def modelled_cycles(workload: WindowWorkload, core: Core) -> float:
    """Of one call with the default tile: a rank for choosing, not a prediction."""
    return _modelled_cycles(workload, core, default_tile(workload, core))


def channel_tiles(workload: WindowWorkload, tile: WindowChannelsTile) -> int:
    """Of one group, or of all channelwise ones."""
    return len(tile_starts(_channel_extent(workload), tile.width))


def blocks_of_channels(workload: WindowWorkload, tile: WindowChannelsTile) -> int:
    """How often the rows are walked: for each tile of channels, or for all of them at once."""
    if not workload.is_channelwise:
        return workload.groups * channel_tiles(workload, tile)
    return channel_tiles(workload, tile) if tile.channels_outer else 1


def _channel_extent(workload: WindowWorkload) -> int:
    """Channels that tiles of one group, or of all channelwise ones, are cut from."""
    return workload.channels if workload.is_channelwise else workload.outputs


def _values_read(workload: WindowWorkload, core: Core, tile: WindowChannelsTile) -> float:
    """By all tiles of an average in one row of taps; a tile's start costs a vector a column."""
    columns = (tile.pixels - 1) * workload.stride + workload.kernel[1]
    tiles = len(tile_starts(workload.output_size[1], tile.pixels)) * channel_tiles(workload, tile)
    return tiles * columns * (tile.width + core.lanes)


def _modelled_cycles(workload: WindowWorkload, core: Core, tile: WindowChannelsTile) -> float:
    rows, columns = workload.output_size
    groups = 1 if workload.is_channelwise else workload.groups
    tiles = groups * rows * len(tile_starts(columns, tile.pixels)) * channel_tiles(workload, tile)
    taps = workload.inputs * workload.kernel[0] * workload.kernel[1]
    return tiles * tile_cycles(
        core,
        WINDOW_COSTS["channels"],
        tile.lanes,
        tile.pixels,
        tile.vectors,
        taps,
        own_inputs=workload.is_channelwise,
    )
