"""A depthwise 3x3 convolution over planes, whole rows in registers, with no scratch for the border.

    for c: for y_tile:
      acc[row, vectors] = sum_ij W[c, i, j] * X[c, s*(y + row) + i - 1, s*x + j - 1] (+ B[c])
      Y[c, y + row, x..] = relu(acc)

Where a row begins or ends the column outside is a zero that a vector is shifted over; rows outside
are left out, in tiles of their own for the top and the bottom. At stride 2 even and odd columns are
parted as they are read. A row that is no multiple of the vector ends in a shorter one, or in one
that begins earlier and computes values again.

Depthwise kernels of 1x g3 without a bias, thousands of modelled cycles on A72 / N1 (2026-11-25),
in brackets by `window`, which copies the input with its border first:

    60x28x28 116 / 72 (143 / 91)    120x14x14 61 / 40 (88 / 53)    240x7x7 29 / 16 (36 / 34)
    and at stride 2, by size of the input
    60x56x56 171 / 117 (223 / 150)  120x28x28 86 / 66 (138 / 94)   240x14x14 44 / 29 (76 / 54)

A bias is one more operation for each nine: 120x14x14 takes 64 / 44 with one. All rows of 14 in four
vectors of four, of which the last begins earlier: 76 / 46 in tiles of two rows, 64 / 42 of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.maximum import rectified
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.precision import converted
from compile.schedules.short_rows import blanked, load_row, store_row
from compile.schedules.spans import span
from compile.schedules.threads import MOST_UNEVEN, Bounds, share_of, unevenness
from compile.schedules.window_workload import WindowWorkload

KERNEL, BORDER = 3, 1

Index = int | tirx.Expr


@dataclass(frozen=True)
class RowsTile:
    """The decisions: `rows` x `vectors` accumulators of `lanes` columns.

    Where what is left of a row is half a vector or a quarter, it may be a `shorter` one. A row may
    also be a short one, of fewer columns than a vector has lanes (see `short_rows`).
    """

    rows: int
    vectors: int
    lanes: int
    maxnum: bool
    shorter: bool = True


@dataclass(frozen=True)
class _Buffers:
    """The kernel's parameters; B is None where nothing is added."""

    x: tirx.Buffer
    weights: tirx.Buffer
    bias: tirx.Buffer | None
    y: tirx.Buffer


def can_convolve_rows(workload: WindowWorkload) -> bool:
    """Whether `workload` is a depthwise 3x3 over planes that this template knows.

    At stride 2 of even sizes only: then borders are met at the top and at the left. A single column
    of output is no vector.
    """
    stride = workload.stride
    shape = (workload.kernel, workload.padding) == ((KERNEL, KERNEL), (BORDER, BORDER))
    sizes = stride == 1 or (stride == 2 and all(extent % 2 == 0 for extent in workload.size))
    planes = workload.kind == "conv" and workload.layout == "planes"
    vectors = workload.output_size[1] > 1 and not workload.writes_channels
    return workload.is_channelwise and shape and sizes and planes and vectors


def pack_weights(weights: np.ndarray, workload: WindowWorkload) -> np.ndarray:
    """OIHW (channels, 1, 3, 3) to (channels, 9)."""
    return np.ascontiguousarray(weights.reshape(workload.channels, KERNEL * KERNEL))


def depthwise_rows(workload: WindowWorkload, tile: RowsTile, threads: int) -> tirx.PrimFunc:
    """The kernel: parameters X (channels, H, W), W as packed, [B (channels,)], Y.

    Threads share the tiles of rows, or the channels where those are too few.
    """
    count = len(tile_starts(workload.output_size[0], tile.rows))
    y_shape = (workload.stored_channels or workload.channels, *workload.output_size)
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("window")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        buffers = _Buffers(
            x=T.arg("X", T.Buffer((workload.channels, *workload.size), workload.dtype)),
            weights=T.arg("W", T.Buffer((workload.channels, KERNEL * KERNEL), workload.dtype)),
            bias=T.arg("B", T.Buffer((workload.channels,), workload.dtype))
            if workload.bias
            else None,
            y=T.arg("Y", T.Buffer(y_shape, workload.result_dtype)),
        )
        for channel, tiles in _each_channel(workload, count, threads):
            taps = _taps(buffers.weights, channel)
            with T.serial(*tiles) as index:
                row = start_of(index, tile.rows, workload.output_size[0])
                for above, below in _each_border(workload, index, count):
                    part = _Part(channel, row, above, below)
                    for columns in _each_group(workload.output_size[1], tile):
                        _convolve(workload, tile, part, columns, taps, buffers)
    return builder.get().without_attr("global_symbol")


def _each_channel(
    workload: WindowWorkload, count: int, threads: int
) -> Iterator[tuple[tirx.Expr, Bounds]]:
    """The loop over the channels of a thread, with which of the `count` tiles of rows it makes."""
    by_rows = unevenness(count, threads) <= MOST_UNEVEN
    with share_of(count if by_rows else workload.channels, threads) as share:
        channels, tiles = ((0, workload.channels), share) if by_rows else (share, (0, count))
        with T.serial(*channels) as channel:
            yield channel, tiles


def _each_border(
    workload: WindowWorkload, index: tirx.Expr, count: int
) -> Iterator[tuple[bool, bool]]:
    """Whether a tile of rows has a row of the input above it and below; the body runs for each."""
    ends_inside = workload.stride > 1
    if count == 1:
        yield False, ends_inside
        return
    with T.If(index == 0):
        with T.Then():
            yield False, True
        with T.Else():
            if ends_inside or count == 2:
                yield True, ends_inside
                return
            with T.If(index == count - 1):
                with T.Then():
                    yield True, False
                with T.Else():
                    yield True, True


def row_vectors(columns: int, tile: RowsTile) -> list[tuple[int, int]]:
    """First column and width of the vectors of a row; a short one is wider than the row."""
    if columns < tile.lanes:
        return [(0, tile.lanes)]
    whole, rest = divmod(columns, tile.lanes)
    vectors = [(index * tile.lanes, tile.lanes) for index in range(whole)]
    if rest:
        is_power = rest > 1 and rest & (rest - 1) == 0
        last = rest if tile.shorter and is_power else tile.lanes
        vectors.append((columns - last, last))
    return vectors


@dataclass(frozen=True)
class _Part:
    """A tile of rows of a channel, and whether there is a row of the input above and below."""

    channel: tirx.Expr
    row: tirx.Expr
    has_above: bool
    has_below: bool


@dataclass(frozen=True)
class _Columns:
    """A vector of output columns; at the edge of the row one tap lies outside."""

    first: Index
    width: int
    is_first: bool
    is_last: bool


def _each_group(columns: int, tile: RowsTile) -> Iterator[list[_Columns]]:
    """The vectors of a row, as many at a time as a tile has; the body runs up to three times."""
    vectors = row_vectors(columns, tile)
    described = [
        _Columns(first, width, index == 0, first + width >= columns)
        for index, (first, width) in enumerate(vectors)
    ]
    between = (len(vectors) - 1) // tile.vectors - 1
    if between < 2:
        for start in range(0, len(vectors), tile.vectors):
            yield described[start : start + tile.vectors]
        return
    yield described[: tile.vectors]
    span = tile.vectors * tile.lanes
    with T.serial(between) as group:
        yield [
            _Columns(group * span + span + index * tile.lanes, tile.lanes, False, False)
            for index in range(tile.vectors)
        ]
    yield described[(between + 1) * tile.vectors :]


def _taps(weights: tirx.Buffer, channel: tirx.Expr) -> list[tirx.Expr]:
    """The nine weights of a channel."""
    count = KERNEL * KERNEL
    taps = T.alloc_buffer((count,), str(weights.dtype))
    for first, width in ((0, 4), (4, 4), (8, 1)):
        at = span(first, width)
        T.buffer_store(taps, weights[channel, at], [at])
    return [taps[index] for index in range(count)]


def _convolve(
    workload: WindowWorkload,
    tile: RowsTile,
    part: _Part,
    columns: Sequence[_Columns],
    taps: Sequence[tirx.Expr],
    buffers: _Buffers,
) -> None:
    """A row of the input after the other: what it adds to each row of the output."""
    stride = workload.stride
    is_short = workload.output_size[1] < tile.lanes
    sums: dict[tuple[int, int], tirx.Expr] = {}
    end = stride * (tile.rows - 1) + KERNEL
    rows = range(0 if part.has_above else 1, end if part.has_below else end - 1)
    for row in rows:
        for index, vector in enumerate(columns):
            if is_short:
                inputs = _short_inputs(workload, part, row, tile.lanes, row == rows[-1], buffers.x)
            else:
                inputs = _inputs(workload, part, row, vector, buffers.x)
            for output in range(tile.rows):
                i = row - stride * output
                if not 0 <= i < KERNEL:
                    continue
                for j, value in enumerate(inputs):
                    product = value * T.Broadcast(taps[KERNEL * i + j], vector.width)
                    before = sums.get((output, index))
                    if before is None and buffers.bias is not None:
                        before = T.Broadcast(buffers.bias[part.channel], vector.width)
                    sums[output, index] = T.bind(product if before is None else before + product)
    channel = workload.first_channel + part.channel
    for (output, index), value in sums.items():
        result = rectified(value, maxnum=tile.maxnum) if workload.relu else value
        result = converted(result, str(buffers.y.dtype))
        at = [channel, part.row + output]
        if is_short:
            store_row(buffers.y, at, result, workload.output_size[1], tile.lanes)
            continue
        of_row = T.Ramp(columns[index].first, 1, columns[index].width)
        T.buffer_store(buffers.y, result, [*at, of_row])


def _short_inputs(
    workload: WindowWorkload,
    part: _Part,
    row: int,
    lanes: int,
    is_last: bool,
    x: tirx.Buffer,
) -> tuple[tirx.Expr, tirx.Expr, tirx.Expr]:
    """As `_inputs`, of a whole short row; the `is_last` one of a tile may be the picture's."""
    stride, columns = workload.stride, workload.size[1]
    at = [part.channel, part.row * stride + row - BORDER]
    zero = T.Broadcast(tirx.const(0, workload.dtype), lanes)

    def shifted(before: tirx.Expr, behind: tirx.Expr, first: int) -> tirx.Expr:
        return T.bind(tirx.Shuffle([before, behind], list(range(first, first + lanes))))

    given = load_row(x, at, columns, stride * lanes, early=is_last)
    if stride == 1:
        here = blanked(given, columns, lanes)
        return shifted(zero, here, lanes - 1), here, shifted(here, zero, 1)
    here, right = (T.bind(tirx.Shuffle([given], list(range(e, 2 * lanes, 2)))) for e in range(2))
    return shifted(zero, right, lanes - 1), here, right


def _inputs(
    workload: WindowWorkload, part: _Part, row: int, vector: _Columns, x: tirx.Buffer
) -> tuple[tirx.Expr, tirx.Expr, tirx.Expr]:
    """What lies to the left, at and to the right of a vector's columns, in one row."""
    width, stride = vector.width, workload.stride
    zero = T.Broadcast(tirx.const(0, workload.dtype), width)

    def load(column: Index, count: int) -> tirx.Expr:
        at = T.Ramp(column, 1, count)
        return T.bind(x[part.channel, part.row * stride + row - BORDER, at])

    def every_other(pairs: tirx.Expr, first: int) -> tirx.Expr:
        return T.bind(tirx.Shuffle([pairs], list(range(first, 2 * width, 2))))

    def shifted(before: tirx.Expr, behind: tirx.Expr, first: int) -> tirx.Expr:
        return T.bind(tirx.Shuffle([before, behind], list(range(first, first + width))))

    if stride == 1:
        here = load(vector.first, width)
        left = shifted(zero, here, width - 1) if vector.is_first else load(vector.first - 1, width)
        right = shifted(here, zero, 1) if vector.is_last else load(vector.first + 1, width)
        return left, here, right
    pairs = load(vector.first * 2, 2 * width)
    here, right = every_other(pairs, 0), every_other(pairs, 1)
    if vector.is_first:
        return shifted(zero, right, width - 1), here, right
    return every_other(load(vector.first * 2 - 2, 2 * width), 1), here, right
