"""A pool by lines: rows are combined first, then columns.

    for c: for y:
      line[x % s, x // s] = combine over i of X[c, s*y + i - p, x]   # whole vectors, neighbours
      Y[c, y, x] = combine over j of line[j % s, x + j // s]

A line is sorted by column phase on its way into the scratch, so that outputs side by side read
inputs side by side at any stride. Rows outside the picture are left out; columns outside stay what
they were set to before the first row. As in `pointwise`, the last vector of a line begins earlier.

Against taking all taps of a window in turn: max pool of 24x112x112 26 us against 54 on one thread
of an AVX-512 Xeon, shared, 0.31 M modelled cycles on A72 against 0.42 M (2026-11-24).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.phases import columns_inside
from compile.schedules.pool_across import pool_across
from compile.schedules.pool_tiles import PoolTile
from compile.schedules.pool_values import combined, neutral, share_of_a_tap
from compile.schedules.spans import Index
from compile.schedules.threads import Bounds
from compile.schedules.window_workload import WindowWorkload

UNROLLS = (7, 4, 3, 2, 1)


def by_lines(
    workload: WindowWorkload, tile: PoolTile, share: Bounds, x: tirx.Buffer, y: tirx.Buffer
) -> None:
    """The loops over the channels and a thread's `share` of the rows, with a line's scratch."""
    _, stride, _, phase_columns = workload.phases_shape
    line = T.alloc_buffer((stride, phase_columns), workload.dtype)
    with T.serial(phase_columns) as column, T.unroll(stride) as phase:
        T.buffer_store(line, neutral(workload), [phase, column])
    each_row = _rows_of_channels if workload.writes_channels else _rows_of_planes
    each_row(workload, tile, share, x, line, y)


def _rows_of_planes(
    workload: WindowWorkload,
    tile: PoolTile,
    share: Bounds,
    x: tirx.Buffer,
    line: tirx.Buffer,
    y: tirx.Buffer,
) -> None:
    with T.serial(workload.channels) as channel, T.serial(*share) as row:
        _combine_rows(workload, tile, channel, row, x, line)
        at = [workload.first_channel + channel, row]
        _combine_columns(
            workload, tile, row, line, lambda column, v: T.buffer_store(y, v, [*at, column])
        )


def _rows_of_channels(
    workload: WindowWorkload,
    tile: PoolTile,
    share: Bounds,
    x: tirx.Buffer,
    line: tirx.Buffer,
    y: tirx.Buffer,
) -> None:
    def pool_row(channel: tirx.Expr, row: tirx.Expr, pooled: tirx.Buffer, at: list[Index]) -> None:
        _combine_rows(workload, tile, channel, row, x, line)
        _combine_columns(
            workload, tile, row, line, lambda column, v: T.buffer_store(pooled, v, [*at, column])
        )

    pool_across(workload, tile.lanes, share, y, pool_row)


def _combine_rows(
    workload: WindowWorkload,
    tile: PoolTile,
    channel: tirx.Expr,
    row: tirx.Expr,
    x: tirx.Buffer,
    line: tirx.Buffer,
) -> None:
    """The line of an output row; away from the border its input rows are known to be there."""
    top = row * workload.stride - workload.padding[0]
    bottom = top + workload.kernel[0]

    def combine_all(load: Callable[[Index], tirx.Expr], store: Callable) -> None:
        value = load(top)
        for i in range(1, workload.kernel[0]):
            value = combined(workload, value, load(top + i), maxnum=tile.maxnum)
        store(value, None)

    def combine_inside(load: Callable[[Index], tirx.Expr], store: Callable) -> None:
        first, end = tirx.max(top, 0), tirx.min(bottom, workload.size[0])
        store(load(first), None)
        with T.serial(end - first - 1) as i:
            store(load(first + 1 + i), combined)

    with T.If(tirx.all(top >= 0, bottom <= workload.size[0])):
        with T.Then():
            _each_part_of_a_line(workload, tile, channel, x, line, combine_all)
        with T.Else():
            _each_part_of_a_line(workload, tile, channel, x, line, combine_inside)


def _each_part_of_a_line(
    workload: WindowWorkload,
    tile: PoolTile,
    channel: tirx.Expr,
    x: tirx.Buffer,
    line: tirx.Buffer,
    combine: Callable[[Callable, Callable], None],
) -> None:
    """Vectors of all phases between the borders, then single values at the borders."""
    stride, padding = workload.stride, workload.padding[1]
    _, _, _, phase_columns = workload.phases_shape
    first, end = columns_inside(workload)

    def add_to(at: list[Index], value: tirx.Expr, how: Callable | None) -> None:
        if how is not None:
            value = how(workload, line[tuple(at)], value, maxnum=tile.maxnum)
        T.buffer_store(line, value, at)

    def vectors(column: tirx.Expr) -> None:
        width = stride * tile.lanes

        def store(value: tirx.Expr, how: Callable | None) -> None:
            for phase in range(stride):
                sorted_out = tirx.Shuffle([value], list(range(phase, width, stride)))
                sorted_out = sorted_out if stride > 1 else value
                add_to([phase, T.Ramp(column, 1, tile.lanes)], sorted_out, how)

        source = T.Ramp(column * stride - padding, 1, width)
        combine(lambda row: x[channel, row, source], store)

    def single(column: Index, phase: int) -> None:
        source = column * stride + phase - padding
        combine(
            lambda row: x[channel, row, source],
            lambda value, how: add_to([phase, column], value, how),
        )

    whole = end - first if tile.lanes > 1 and end - first >= tile.lanes else 0
    if whole:
        for start in _each_vector(whole, tile.lanes):
            vectors(first + start)
    for column in [*range(first), *range(first + whole, phase_columns)]:
        for phase in range(stride):
            if 0 <= column * stride + phase - padding < workload.size[1]:
                single(column, phase)


def _combine_columns(
    workload: WindowWorkload,
    tile: PoolTile,
    row: tirx.Expr,
    line: tirx.Buffer,
    store: Callable[[tirx.Expr, tirx.Expr], None],
) -> None:
    """Calls `store` with a column and what the pool makes of its line there."""
    _, columns = workload.output_size
    stride, taps = workload.stride, workload.kernel[1]
    for first in _each_vector(columns, tile.lanes):
        with T.vectorized(tile.lanes) as lane:
            value = line[0, first + lane]
            for j in range(1, taps):
                tap = line[j % stride, first + lane + j // stride]
                value = combined(workload, value, tap, maxnum=tile.maxnum)
            if workload.kind != "max":
                value = value * share_of_a_tap(workload, row, first + lane)
            store(first + lane, value)


def _each_vector(extent: int, lanes: int) -> Iterator[tirx.Expr]:
    """The loops over the vectors of a row, some at a time; the body runs once, inside them."""
    count = len(tile_starts(extent, lanes))
    together = next(unroll for unroll in UNROLLS if count % unroll == 0)
    with T.serial(count // together) as outer, T.unroll(together) as inner:
        yield start_of(outer * together + inner, lanes, extent)
