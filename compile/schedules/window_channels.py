"""Windows with channels in the lanes: convolutions of any kernel, depthwise ones and pools.

    Y[y, x, gM + m] = relu(B[gM + m] + sum_ijk W[g, m, k, i, j] * X[sy + i - p, sx + j - q, gK + k])

Depthwise convolutions and pools work on vectors of channels, each output alone; other convolutions
broadcast one input to the M outputs of its group, as `pointwise` does:

    for y: for x_tile, c_tile:                          # or for c_tile: for y, x_tile
      acc[pixels, vectors] = B                          # in registers
      for i in the rows inside the picture: for j: (for k:) acc += W[i, j, ..] * X[.., x*s + j, ..]
      Y[y, x.., c..] = max(acc, 0)

Nothing is padded or copied. Rows outside the picture are left out of the loop over i; columns
outside are left out of the code: the tiles at the left and the right border are written apart from
those between, which meet no border. As in `pointwise`, the last tile of an axis begins earlier.
Averages sum the columns of taps that pixels share (`average_channels`). A convolution may also read
planes (the first one of a network, whose picture is NCHW).

One thread of an AVX-512 Xeon, shared, 2026-11-23, against planes: depthwise 14x14x120 3.8 us
against 6.7, 7x7x240 1.4 against 6.3; stem of MobileNet 131 against 149; 5x5 of AlexNet 217 GFLOP/s.
One pixel by 24 vectors read 3.5 MB of weights for each pixel: 18 GFLOP/s; since then the model
knows of caches.

Pixels of 60 channels, 240 bytes, with room for 64, so that most loads begin with a line: 28x28x60
takes 4.1 us instead of 4.8, 56x56x60 of stride 2 6.0 instead of 8.6, but 28x28x120 9.4 instead of
8.5 (AVX-512, Zen 5, 2026-11-27). In the network 1x g3 took 0.1 to 0.3 % less time, 1.5x g3 0.3, and
both 0.1 to 0.3 % more at 480x640: too little for a pass of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.average_channels import AverageOfTile
from compile.schedules.maximum import rectified
from compile.schedules.overlap import tile_starts
from compile.schedules.pool_values import combined, neutral
from compile.schedules.window_channels_places import Place, each_place, pixels_inside
from compile.schedules.window_channels_tiles import (
    WindowChannelsTile,
    blocks_of_channels,
    channel_tiles,
)
from compile.schedules.window_workload import WindowWorkload

K_UNROLLS = (4, 3, 2, 1)


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
    Threads share the rows of Y, of each block of channels that is walked by itself.
    """
    rows, _ = workload.output_size
    blocks = blocks_of_channels(workload, tile)
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
        y = T.arg("Y", T.Buffer(workload.output_shape, workload.dtype))
        with loop(blocks * rows) as index:
            block, row = index // rows, index % rows  # weights stay in the cache over the rows
            for place in each_place(workload, tile, block, row):
                if workload.is_average:
                    AverageOfTile(workload, tile, place, x, y).make()
                    continue
                acc = T.alloc_buffer(
                    (tile.pixels, tile.vectors, tile.lanes), workload.dtype, scope="local"
                )
                _start(workload, tile, place, acc, bias)
                _accumulate(workload, tile, place, acc, x, weights)
                _finish(workload, tile, place, acc, y)
    return builder.get().without_attr("global_symbol")


def _start(
    workload: WindowWorkload,
    tile: WindowChannelsTile,
    place: Place,
    acc: tirx.Buffer,
    bias: tirx.Buffer | None,
) -> None:
    for at in _each_value(tile, range(tile.pixels)):
        channel = place.channel + at[1] * tile.lanes + at[2]
        T.buffer_store(acc, neutral(workload) if bias is None else bias[channel], at)


def _accumulate(
    workload: WindowWorkload,
    tile: WindowChannelsTile,
    place: Place,
    acc: tirx.Buffer,
    x: tirx.Buffer,
    weights: tirx.Buffer | None,
) -> None:
    top = place.row * workload.stride - workload.padding[0]
    first = tirx.max(0, -top)
    end = tirx.min(workload.kernel[0], workload.size[0] - top)
    with T.serial(first, end) as i:
        for j in range(workload.kernel[1]):
            inside = pixels_inside(workload, tile, place, j)
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


def _load(
    workload: WindowWorkload,
    place: Place,
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
    place: Place,
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
    place: Place,
    acc: tirx.Buffer,
    y: tirx.Buffer,
) -> None:
    for at in _each_value(tile, range(tile.pixels)):
        value = acc[at]
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


def _x_shape(workload: WindowWorkload) -> tuple[int, int, int]:
    rows, columns, channels = *workload.size, workload.groups * workload.inputs
    return (channels, rows, columns) if workload.reads_planes else (rows, columns, channels)


def _packed_shape(workload: WindowWorkload, tile: WindowChannelsTile) -> tuple[int, ...]:
    if workload.is_channelwise:
        return (*workload.kernel, workload.channels)
    m_tiles = channel_tiles(workload, tile)
    return (workload.groups, m_tiles, *workload.kernel, workload.inputs, tile.width)
