"""One tile of rows of a depthwise 3x3 convolution over planes, all columns of a channel.

    for vectors of columns:
      acc[row, vectors] = sum_ij W[c, i, j] * X[c, s*(y + row) + i - 1, s*x + j - 1] (+ B[c])
      planes[c, y + row, x..] = relu(acc)

See `depthwise_rows`, which walks channels and tiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.depthwise_inputs import Part, inputs_of, short_inputs
from compile.schedules.depthwise_vectors import Columns, RowsTile, each_group
from compile.schedules.maximum import rectified
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.precision import converted
from compile.schedules.short_rows import store_row
from compile.schedules.spans import Index, span
from compile.schedules.window_workload import WindowWorkload

KERNEL = 3

Sums = dict[tuple[int, int], tirx.Expr]  # by row and vector


@dataclass(frozen=True)
class Buffers:
    """The kernel's parameters; B is None where nothing is added."""

    x: tirx.Buffer
    weights: tirx.Buffer
    bias: tirx.Buffer | None
    y: tirx.Buffer


@dataclass(frozen=True)
class Target:
    """Where the values of a tile go: planes, and the channel and first row there."""

    planes: tirx.Buffer
    channel: Index
    row: Index


def tiles_of_rows(workload: WindowWorkload, tile: RowsTile) -> int:
    """Of the tiles of rows."""
    return len(tile_starts(workload.output_size[0], tile.rows))


def taps_of(weights: tirx.Buffer, channel: tirx.Expr) -> list[tirx.Expr]:
    """The nine weights of a channel."""
    count = KERNEL * KERNEL
    taps = T.alloc_buffer((count,), str(weights.dtype))
    for first, width in ((0, 4), (4, 4), (8, 1)):
        at = span(first, width)
        T.buffer_store(taps, weights[channel, at], [at])
    return [taps[index] for index in range(count)]


def make_tile(
    workload: WindowWorkload,
    tile: RowsTile,
    at: tuple[tirx.Expr, tirx.Expr],
    taps: Sequence[tirx.Expr],
    buffers: Buffers,
    target: Target,
) -> None:
    """The tile of rows of the channel, both given by `at`."""
    channel, index = at
    row = start_of(index, tile.rows, workload.output_size[0])
    for above, below in _each_border(workload, index, tiles_of_rows(workload, tile)):
        part = Part(channel, row, above, below)
        for columns in each_group(workload.output_size[1], tile):
            sums = _sums(workload, tile, part, columns, taps, buffers)
            _store(workload, tile, columns, sums, target)


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


def _sums(
    workload: WindowWorkload,
    tile: RowsTile,
    part: Part,
    columns: Sequence[Columns],
    taps: Sequence[tirx.Expr],
    buffers: Buffers,
) -> Sums:
    """A row of the input after the other: what it adds to each row of the output."""
    stride = workload.stride
    is_short = workload.output_size[1] < tile.lanes
    sums: Sums = {}
    end = stride * (tile.rows - 1) + KERNEL
    rows = range(0 if part.has_above else 1, end if part.has_below else end - 1)
    for row in rows:
        for index, vector in enumerate(columns):
            if is_short:
                inputs = short_inputs(workload, part, row, tile.lanes, row == rows[-1], buffers.x)
            else:
                inputs = inputs_of(workload, part, row, vector, buffers.x)
            for output in range(tile.rows):
                i = row - stride * output
                if not 0 <= i < KERNEL:
                    continue
                for j, value in enumerate(inputs):
                    product = value * T.Broadcast(taps[KERNEL * i + j], vector.width)
                    before = sums.get((output, index))
                    if before is None:
                        before = _start(tile, part, vector.width, buffers)
                    sums[output, index] = T.bind(product if before is None else before + product)
    return sums


def _start(tile: RowsTile, part: Part, width: int, buffers: Buffers) -> tirx.Expr | None:
    """What a sum begins with: its bias, or nothing.

    Where another kernel may have channels in the lanes, so not on AArch64, nothing is 0 as it is
    there: of two bare products LLVM may round either.
    """
    if buffers.bias is not None:
        return T.Broadcast(buffers.bias[part.channel], width)
    return None if tile.maxnum else T.Broadcast(tirx.const(0, str(buffers.x.dtype)), width)


def _store(
    workload: WindowWorkload,
    tile: RowsTile,
    columns: Sequence[Columns],
    sums: Sums,
    target: Target,
) -> None:
    planes = target.planes
    for (output, index), value in sums.items():
        result = rectified(value, maxnum=tile.maxnum) if workload.relu else value
        result = converted(result, str(planes.dtype))
        at = [target.channel, target.row + output]
        if workload.output_size[1] < tile.lanes:
            store_row(planes, at, result, workload.output_size[1], tile.lanes)
            continue
        of_row = T.Ramp(columns[index].first, 1, columns[index].width)
        T.buffer_store(planes, result, [*at, of_row])
