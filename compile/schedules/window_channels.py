"""Windows with channels in the lanes: convolutions of any kernel, depthwise ones and pools.

    Y[y, x, gM + m] = relu(B[gM + m] + sum_ijk W[g, m, k, i, j] * X[sy + i - p, sx + j - q, gK + k])

Depthwise convolutions and pools work on vectors of channels, each output alone; other convolutions
broadcast one input to the M outputs of its group, as `pointwise` does:

    for y: for x_tile, c_tile:
      acc[pixels, vectors] = B                          # in registers
      for i in the rows inside the picture: for j: (for k:) acc += W[i, j, ..] * X[.., x*s + j, ..]
      Y[y, x.., c..] = max(acc, 0)

Nothing is padded or copied. Rows outside the picture are left out of the loop over i; columns
outside are left out of the code: the tiles at the left and the right border are written apart from
those between, which meet no border. As in `pointwise`, the last tile of an axis begins earlier.
A convolution may also read planes (the first one of a network, whose picture is NCHW).

One thread of an AVX-512 Xeon, shared, 2026-11-23, against planes: depthwise 14x14x120 3.8 us
against 6.7, 7x7x240 1.4 against 6.3; average pool 14x14x480 3.9 against 19.3; stem of MobileNet 131
against 149; 5x5 of AlexNet 217 GFLOP/s. One pixel by 24 vectors read 3.5 MB of weights for each
pixel: 18 GFLOP/s; since then the model knows of caches.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.maximum import has_maxnum, rectified
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.pool import combined, neutral, share_of_a_tap
from compile.schedules.registers import accumulator_budget, tile_cycles
from compile.schedules.tiles import lane_choices
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core

MAX_VECTORS_OF_CHANNELWISE = 2  # more only lengthen the code: nothing is shared between vectors
PIXELS_OF_CHANNELWISE = 8
K_UNROLLS = (4, 3, 2, 1)


@dataclass(frozen=True)
class WindowChannelsTile:
    """The decisions: `pixels` of one row x `vectors` of `lanes` channels are accumulators."""

    pixels: int
    vectors: int
    lanes: int
    maxnum: bool = False

    @property
    def width(self) -> int:
        """Channels of a tile."""
        return self.vectors * self.lanes


def default_tile(workload: WindowWorkload, core: Core) -> WindowChannelsTile:
    """The tile with the least modelled cycles among those whose accumulators fit the registers."""
    _, columns = workload.output_size
    budget = accumulator_budget(core)
    limits = (PIXELS_OF_CHANNELWISE, MAX_VECTORS_OF_CHANNELWISE)
    max_pixels, max_vectors = limits if workload.is_channelwise else (budget, budget)
    extent = _channel_extent(workload)
    fitting = [
        WindowChannelsTile(pixels, vectors, lanes, has_maxnum(core))
        for lanes in lane_choices(extent, core)
        for pixels, vectors in itertools.product(
            range(1, max_pixels + 1), range(1, max_vectors + 1)
        )
        if pixels * vectors <= budget and pixels <= columns and vectors * lanes <= extent
    ]
    return min(fitting, key=lambda tile: _modelled_cycles(workload, core, tile))


def modelled_cycles(workload: WindowWorkload, core: Core) -> float:
    """Of one call with the default tile: a rank for choosing, not a prediction."""
    return _modelled_cycles(workload, core, default_tile(workload, core))


def pack_weights(
    weights: np.ndarray, workload: WindowWorkload, tile: WindowChannelsTile
) -> np.ndarray:
    """OIHW (groups * M, K, I, J) to [group][m tile][i][j][k][m]; channelwise to [i][j][channel]."""
    if workload.is_channelwise:
        return np.ascontiguousarray(weights[:, 0].transpose(1, 2, 0))
    grouped = weights.reshape(workload.groups, workload.outputs, workload.inputs, *workload.kernel)
    starts = tile_starts(workload.outputs, tile.width)
    blocks = [grouped[:, s : s + tile.width].transpose(0, 3, 4, 2, 1) for s in starts]
    return np.ascontiguousarray(np.stack(blocks, axis=1))


def window_channels(
    workload: WindowWorkload, tile: WindowChannelsTile, threads: int
) -> tirx.PrimFunc:
    """The kernel: parameters X, [W as packed], [B (groups * M,)], Y (rows, columns, channels).

    X is (H, W, groups * K), or (groups * K, H, W) where the workload reads planes.
    Threads share the rows of Y.
    """
    rows, columns = workload.output_size
    blocks = 1 if workload.is_channelwise else workload.groups * _m_tiles(workload, tile)
    channels = workload.stored_channels or workload.channels
    loop = T.parallel if threads > 1 else T.serial
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("window")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg("X", T.Buffer(_x_shape(workload), workload.dtype))
        weights = bias = None
        if workload.kind == "conv":
            weights = T.arg("W", T.Buffer(_packed_shape(workload, tile), workload.dtype))
            bias = (
                T.arg("B", T.Buffer((workload.channels,), workload.dtype))
                if workload.bias
                else None
            )
        y = T.arg("Y", T.Buffer((rows, columns, channels), workload.dtype))
        with loop(blocks * rows) as index:
            block, row = index // rows, index % rows  # weights stay in the cache over the rows
            for place in _places(workload, tile, block, row):
                acc = T.alloc_buffer(
                    (tile.pixels, tile.vectors, tile.lanes), workload.dtype, scope="local"
                )
                _start(workload, tile, place, acc, bias)
                _accumulate(workload, tile, place, acc, x, weights)
                _finish(workload, tile, place, acc, y)
    return builder.get().without_attr("global_symbol")


@dataclass(frozen=True)
class _Place:
    """Where a tile lies; `border` is its first column where it meets a border, else None."""

    group: tirx.Expr
    m_tile: tirx.Expr
    channel: tirx.Expr
    row: tirx.Expr
    column: tirx.Expr
    border: int | None


def _places(
    workload: WindowWorkload, tile: WindowChannelsTile, block: tirx.Expr, row: tirx.Expr
) -> Iterator[_Place]:
    """The tiles of one row of one block of channels, inside the loops over them."""
    m_tiles = _m_tiles(workload, tile)
    for first, count, border in _column_runs(workload, tile.pixels):
        with T.serial(count) as step:
            column = first + step * tile.pixels
            if workload.is_channelwise:
                with T.serial(m_tiles) as m_tile:
                    channel = start_of(m_tile, tile.width, workload.channels)
                    yield _Place(0, m_tile, channel, row, column, border)
            else:
                group, m_tile = block // m_tiles, block % m_tiles
                output = start_of(m_tile, tile.width, workload.outputs)
                channel = group * workload.outputs + output
                yield _Place(group, m_tile, channel, row, column, border)


def _column_runs(workload: WindowWorkload, pixels: int) -> list[tuple[int, int, int | None]]:
    """First column, number of tiles and border of each run of tiles that share their code."""
    runs: list[tuple[int, int, int | None]] = []
    for start in tile_starts(workload.output_size[1], pixels):
        inside = all(
            _is_inside(workload, start + p, j)
            for p in (0, pixels - 1)
            for j in (0, workload.kernel[1] - 1)
        )
        if inside and runs and runs[-1][2] is None and start == runs[-1][0] + runs[-1][1] * pixels:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1, None)
        else:
            runs.append((start, 1, None if inside else start))
    return runs


def _is_inside(workload: WindowWorkload, column: int, j: int) -> bool:
    """Whether tap `j` of an output column lies in the picture."""
    return 0 <= column * workload.stride + j - workload.padding[1] < workload.size[1]


def _start(
    workload: WindowWorkload,
    tile: WindowChannelsTile,
    place: _Place,
    acc: tirx.Buffer,
    bias: tirx.Buffer | None,
) -> None:
    for at in _each_value(tile, range(tile.pixels)):
        channel = place.channel + at[1] * tile.lanes + at[2]
        T.buffer_store(acc, neutral(workload) if bias is None else bias[channel], at)


def _accumulate(
    workload: WindowWorkload,
    tile: WindowChannelsTile,
    place: _Place,
    acc: tirx.Buffer,
    x: tirx.Buffer,
    weights: tirx.Buffer | None,
) -> None:
    top = place.row * workload.stride - workload.padding[0]
    first = tirx.max(0, -top)
    end = tirx.min(workload.kernel[0], workload.size[0] - top)
    if workload.kind in ("average", "average_inside"):
        _add_columns(workload, tile, place, acc, x, (top + first, top + end))
        return
    with T.serial(first, end) as i:
        for j in range(workload.kernel[1]):
            inside = _pixels_inside(workload, tile, place, j)
            for k in _each_input(workload):
                for at in _each_value(tile, inside):
                    column = (place.column + at[0]) * workload.stride + j - workload.padding[1]
                    within = at[1] * tile.lanes + at[2]
                    value = _load(workload, place, x, top + i, column, k, within)
                    if weights is None:
                        value = combined(workload, acc[at], value, maxnum=tile.maxnum)
                    else:
                        tap = _tap(workload, place, i, j, k, within)
                        value = acc[at] + value * weights[tap]
                    T.buffer_store(acc, value, at)


def _add_columns(
    workload: WindowWorkload,
    tile: WindowChannelsTile,
    place: _Place,
    acc: tirx.Buffer,
    x: tirx.Buffer,
    rows: tuple[tirx.Expr, tirx.Expr],
) -> None:
    """Sums each column of taps, then the columns: as over planes (pool.py), to the last bit."""
    first, end = rows
    for j in range(workload.kernel[1]):
        inside = _pixels_inside(workload, tile, place, j)
        column_sum = T.alloc_buffer(
            (tile.pixels, tile.vectors, tile.lanes), workload.dtype, scope="local"
        )

        def value(row: tirx.Expr, at: tuple[tirx.Expr, ...], j: int = j) -> tirx.Expr:
            column = (place.column + at[0]) * workload.stride + j - workload.padding[1]
            return _load(workload, place, x, row, column, 0, at[1] * tile.lanes + at[2])

        for at in _each_value(tile, inside):
            T.buffer_store(column_sum, value(first, at), at)
        with T.serial(end - first - 1) as i:
            for at in _each_value(tile, inside):
                T.buffer_store(column_sum, column_sum[at] + value(first + 1 + i, at), at)
        for at in _each_value(tile, inside):
            T.buffer_store(acc, acc[at] + column_sum[at], at)


def _pixels_inside(
    workload: WindowWorkload, tile: WindowChannelsTile, place: _Place, j: int
) -> list[int]:
    """The pixels of the tile whose taps in column `j` lie in the picture."""
    return [
        pixel
        for pixel in range(tile.pixels)
        if place.border is None or _is_inside(workload, place.border + pixel, j)
    ]


def _load(
    workload: WindowWorkload,
    place: _Place,
    x: tirx.Buffer,
    row: tirx.Expr,
    column: tirx.Expr,
    k: tirx.Expr,
    within: tirx.Expr,
) -> tirx.Expr:
    """The input of one tap: a channel's own one, or input k of the group."""
    if workload.is_channelwise:
        return x[row, column, place.channel + within]
    channel = place.group * workload.inputs + k
    return x[channel, row, column] if workload.reads_planes else x[row, column, channel]


def _tap(
    workload: WindowWorkload,
    place: _Place,
    i: tirx.Expr,
    j: int,
    k: tirx.Expr,
    within: tirx.Expr,
) -> list[tirx.Expr]:
    """The index of a weight."""
    if workload.is_channelwise:
        return [i, j, place.channel + within]
    return [place.group, place.m_tile, i, j, k, within]


def _finish(
    workload: WindowWorkload,
    tile: WindowChannelsTile,
    place: _Place,
    acc: tirx.Buffer,
    y: tirx.Buffer,
) -> None:
    for at in _each_value(tile, range(tile.pixels)):
        value = acc[at]
        if workload.kind in ("average", "average_inside"):
            value = value * share_of_a_tap(workload, place.row, place.column + at[0])
        value = rectified(value, maxnum=tile.maxnum) if workload.relu else value
        channel = workload.first_channel + place.channel + at[1] * tile.lanes + at[2]
        T.buffer_store(y, value, [place.row, place.column + at[0], channel])


def _each_input(workload: WindowWorkload) -> Iterator[tirx.Expr]:
    """The loops over the inputs of a group; the body runs once, inside them."""
    unroll = next(step for step in K_UNROLLS if workload.inputs % step == 0)
    with T.serial(workload.inputs // unroll) as outer, T.unroll(unroll) as inner:
        yield outer * unroll + inner


def _each_value(
    tile: WindowChannelsTile, pixels: Iterable[int]
) -> Iterator[tuple[int | tirx.Expr, ...]]:
    """The loops over the accumulators of `pixels`; the body is written for each pixel."""
    for pixel in pixels:
        with T.unroll(tile.vectors) as vector, T.vectorized(tile.lanes) as lane:
            yield pixel, vector, lane


def _channel_extent(workload: WindowWorkload) -> int:
    """Channels that tiles of one group, or of all channelwise ones, are cut from."""
    return workload.channels if workload.is_channelwise else workload.outputs


def _m_tiles(workload: WindowWorkload, tile: WindowChannelsTile) -> int:
    return len(tile_starts(_channel_extent(workload), tile.width))


def _x_shape(workload: WindowWorkload) -> tuple[int, int, int]:
    rows, columns, channels = *workload.size, workload.groups * workload.inputs
    return (channels, rows, columns) if workload.reads_planes else (rows, columns, channels)


def _packed_shape(workload: WindowWorkload, tile: WindowChannelsTile) -> tuple[int, ...]:
    if workload.is_channelwise:
        return (*workload.kernel, workload.channels)
    m_tiles = _m_tiles(workload, tile)
    return (workload.groups, m_tiles, *workload.kernel, workload.inputs, tile.width)


def _modelled_cycles(workload: WindowWorkload, core: Core, tile: WindowChannelsTile) -> float:
    rows, columns = workload.output_size
    groups = 1 if workload.is_channelwise else workload.groups
    tiles = groups * rows * len(tile_starts(columns, tile.pixels)) * _m_tiles(workload, tile)
    taps = workload.inputs * workload.kernel[0] * workload.kernel[1]
    return tiles * tile_cycles(
        core,
        "channels",
        tile.lanes,
        tile.pixels,
        tile.vectors,
        taps,
        own_inputs=workload.is_channelwise,
    )
