"""Channelwise convolution of int8 over planes, which an average pool is, too.

    Y[c, y, x] = int8 of sum_ij W[c, i, j] * P[c, s*y + i, s*x + j] + B[c]

P is the input with its border, built in a scratch a channel at a time, so that no tap is outside:

    for c: P = X[c] in a border of zero
      for rows, octet of columns:
        acc[rows, octet] = B[c]                              # int32, in registers
        for each row of P: acc += W[c, i] . P[row, columns and their next ones]

Where a product is of four values, it is of a row of up to four taps, and one table lookup puts the
taps of four outputs side by side; of three taps the fourth weight is 0, masked, as the first of the
next row lies there. All channels of an average pool have the same weights, which are there once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.int8_lanes import (
    OCTET,
    Dots,
    add_dot,
    broadcast_weights,
    dots_of,
    requantised,
    store_octets,
    sum_lanes,
    windows_of,
)
from compile.schedules.int8_workloads import Int8WindowWorkload
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.spans import Index, fill, row_pieces, span
from compile.schedules.threads import share_of
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core

LOAD = 16  # bytes of one load of P
TAPS_OF_A_DOT = 4  # in a row of a kernel
MOST_STRIDE = 4  # at which the taps of four outputs lie within one load
MOST_ROWS = {"sdot": 7, "pairs": 4, "single": 7}
MORE_ROWS = 3  # that the search may try


@dataclass(frozen=True)
class Int8DepthwiseTile:
    """The decisions: `rows` of an octet of outputs in vectors of `lanes` sums."""

    dots: Dots
    rows: int
    lanes: int


def default_tile(workload: Int8WindowWorkload, core: Core) -> Int8DepthwiseTile:
    """As many rows as share their inputs without spilling, and fewest that are made again."""
    dots, height = dots_of(core), workload.output_size[0]
    most = min(MOST_ROWS[dots], height)
    rows = min(range(1, most + 1), key=lambda n: (len(tile_starts(height, n)) * (n + 1), -n))
    return Int8DepthwiseTile("single" if dots == "pairs" else dots, rows, sum_lanes(core))


def fitting_tiles(workload: Int8WindowWorkload, core: Core) -> Iterator[Int8DepthwiseTile]:
    """The tiles whose sums fit the registers, where a few more rows than by default do."""
    default = default_tile(workload, core)
    most = MOST_ROWS[default.dots] + MORE_ROWS
    for rows in range(1, min(most, workload.output_size[0]) + 1):
        yield replace(default, rows=rows)


def can_convolve(workload: WindowWorkload) -> bool:
    """Whether a channelwise `workload` is known here: few columns of taps, outputs close by."""
    planes = workload.layout == "planes" and not workload.writes_channels
    near = workload.kernel[1] <= TAPS_OF_A_DOT and workload.stride <= MOST_STRIDE
    return workload.is_channelwise and planes and near


def pack_weights(
    weights: np.ndarray, workload: Int8WindowWorkload, tile: Int8DepthwiseTile
) -> np.ndarray:
    """OIHW to the channels side by side, (n,); for sdot with as much behind as it reads there."""
    behind = TAPS_OF_A_DOT - workload.kernel[1] if tile.dots == "sdot" else 0
    return np.concatenate([weights.reshape(-1), np.zeros(behind, weights.dtype)])


def int8_depthwise(
    workload: Int8WindowWorkload, tile: Int8DepthwiseTile, threads: int
) -> tirx.PrimFunc:
    """The kernel: parameters X int8 (channels, H, W), W as packed, B and M int32 (channels,), Y.

    Threads share the channels.
    """
    packed = pack_weights(np.zeros(workload.weights_shape, np.int8), workload, tile)
    channels = (workload.channels,)
    y_shape = (workload.stored_channels or workload.channels, *workload.output_size)
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("int8_depthwise")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg("X", T.Buffer((workload.channels, *workload.size), "int8"))
        weights = T.arg("W", T.Buffer(packed.shape, "int8"))
        bias = T.arg("B", T.Buffer(channels, "int32"))
        multipliers = T.arg("M", T.Buffer(channels, "int32"))
        y = T.arg("Y", T.Buffer(y_shape, "int8"))
        with share_of(workload.channels, threads) as share:
            bordered = T.alloc_buffer(_bordered_shape(workload, tile), "int8")
            _fill_border(workload.zero, bordered)
            with T.serial(*share) as channel:
                _copy(workload, x, channel, bordered)
                _convolve(workload, tile, channel, bordered, (weights, bias, multipliers), y)
    return builder.get().without_attr("global_symbol")


def _bordered_shape(workload: Int8WindowWorkload, tile: Int8DepthwiseTile) -> tuple[int, int]:
    """Of P, with what the last loads of a row read behind it."""
    height, width = workload.output_size
    top, left, _, right = workload.border
    rows = (height - 1) * workload.stride + workload.kernel[0]
    last = -(-width // OCTET) * OCTET - tile.lanes
    columns = max(
        last * workload.stride + workload.kernel[1] - 1 + LOAD,
        workload.size[1] + left + right,
    )
    return max(rows, workload.size[0] + top), columns


def _fill_border(zero: int, bordered: tirx.Buffer) -> None:
    """All of a scratch, as what is no border is written behind."""
    rows, columns = (int(extent) for extent in bordered.shape)
    with T.serial(rows) as row:
        fill(bordered, [row], 0, columns, tirx.const(zero, "int8"))


def _copy(
    workload: Int8WindowWorkload, x: tirx.Buffer, channel: tirx.Expr, bordered: tirx.Buffer
) -> None:
    rows, columns = workload.size
    top, left, _, _ = workload.border
    with T.serial(rows) as row:
        for first, width in row_pieces(columns):
            value = x[channel, row, span(first, width)]
            T.buffer_store(bordered, value, [row + top, span(first + left, width)])


def _convolve(
    workload: Int8WindowWorkload,
    tile: Int8DepthwiseTile,
    channel: tirx.Expr,
    bordered: tirx.Buffer,
    constants: tuple[tirx.Buffer, tirx.Buffer, tirx.Buffer],
    y: tirx.Buffer,
) -> None:
    weights, bias, multipliers = constants
    height, width = workload.output_size
    taps = _broadcast_taps(workload, tile, weights, channel)
    start = T.bind(T.Broadcast(bias[channel], tile.lanes))
    multiplier = T.bind(T.Broadcast(multipliers[channel], tile.lanes))
    with T.serial(len(tile_starts(height, tile.rows))) as index:
        row = start_of(index, tile.rows, height)
        for column, count in _each_octet(width):
            vectors = range(-(-count // tile.lanes))
            sums = _sums(workload, tile, bordered, taps, start, row, column, len(vectors))
            for output in range(tile.rows):
                of_octet = [sums[output, vector] for vector in vectors]
                multipliers_of = [multiplier] * len(vectors)
                octet = requantised(tile.dots, of_octet, multipliers_of, workload.ending)
                place = [workload.first_channel + channel, row + output, column]
                store_octets([octet], count, y, place)


def _broadcast_taps(
    workload: Int8WindowWorkload, tile: Int8DepthwiseTile, weights: tirx.Buffer, channel: tirx.Expr
) -> list[list[tirx.Expr]]:
    """For each row of the kernel its weights in all lanes: one for sdot, else one a tap."""
    rows, columns = workload.kernel
    first = 0 if workload.kind == "average" else channel * (rows * columns)
    starts = range(0, rows * columns, columns)
    if tile.dots == "sdot":
        return [[_broadcast_row(weights, first + start, columns)] for start in starts]
    every = broadcast_weights("single", tile.lanes, weights, [first], rows * columns)
    every = [T.bind(each) for each in every]
    return [every[start : start + columns] for start in starts]


def _broadcast_row(weights: tirx.Buffer, first: Index, columns: int) -> tirx.Expr:
    """The weights of a row, and 0 in the place of those that a dot product has beyond."""
    word = tirx.reinterpret("int32", weights[T.Ramp(first, 1, TAPS_OF_A_DOT)])
    if columns < TAPS_OF_A_DOT:
        word = word & tirx.const((1 << (8 * columns)) - 1, "int32")
    return T.bind(tirx.reinterpret("int8x16", T.Broadcast(word, 4)))


def _each_octet(width: int) -> Iterator[tuple[Index, int]]:
    """First column and count of the octets of a row; the last begins earlier where it can."""
    whole, rest = divmod(width, OCTET)
    if whole > 1:
        with T.serial(whole) as index:
            yield index * OCTET, OCTET
    elif whole:
        yield 0, OCTET
    if rest:
        count = rest if not whole else (OCTET // 2 if rest <= OCTET // 2 else OCTET)
        yield width - count, count


def _sums(
    workload: Int8WindowWorkload,
    tile: Int8DepthwiseTile,
    bordered: tirx.Buffer,
    taps: list[list[tirx.Expr]],
    start: tirx.Expr,
    row: tirx.Expr,
    column: Index,
    vectors: int,
) -> dict[tuple[int, int], tirx.Expr]:
    """The sums of `tile.rows` by `vectors`; every row of P is read once for all of them."""
    stride, kernel_rows = workload.stride, workload.kernel[0]
    sums = {(output, v): start for output in range(tile.rows) for v in range(vectors)}
    for source in range((tile.rows - 1) * stride + kernel_rows):
        for vector in range(vectors):
            first = (column + vector * tile.lanes) * stride
            values = None
            for output in range(tile.rows):
                i = source - stride * output
                if not 0 <= i < kernel_rows:
                    continue
                if values is None:
                    values = _values(workload, tile, bordered, row * stride + source, first)
                for value, weight in zip(values, taps[i], strict=True):
                    total = add_dot(tile.dots, tile.lanes, sums[output, vector], value, weight)
                    sums[output, vector] = T.bind(total)
    return sums


def _values(
    workload: Int8WindowWorkload,
    tile: Int8DepthwiseTile,
    bordered: tirx.Buffer,
    row: tirx.Expr,
    first: Index,
) -> list[tirx.Expr]:
    """The taps of a row for a vector of outputs: all at once for sdot, else one by one."""
    lanes, stride = tile.lanes, workload.stride
    if tile.dots == "sdot":
        loaded = T.bind(bordered[row, T.Ramp(first, 1, LOAD)])
        return [T.bind(windows_of(loaded, lanes, stride, workload.kernel[1], TAPS_OF_A_DOT))]
    values = []
    for tap in range(workload.kernel[1]):
        loaded = bordered[row, T.Ramp(first + tap, 1, lanes * stride)]
        if stride > 1:
            loaded = tirx.Shuffle([T.bind(loaded)], list(range(0, lanes * stride, stride)))
        values.append(T.bind(tirx.Cast(f"int16x{lanes}", loaded)))
    return values
