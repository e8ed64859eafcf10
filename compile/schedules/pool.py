"""Pools over planes: rows are combined first, then columns.

    Y[c, y, x] = max or mean over i, j of P[c, s*y + i, s*x + j]

A mean is over all taps, or over those in the picture (`average_inside`). P is the input with its
border, which is never built:

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

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.maximum import has_maxnum, larger
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.phases import columns_inside
from compile.schedules.pool_rows import can_pool_rows, pool_rows
from compile.schedules.short_rows import is_short
from compile.schedules.threads import Bounds, share_of
from compile.schedules.tiles import vector_width
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core

UNROLLS = (7, 4, 3, 2, 1)

Index = int | tirx.Expr


@dataclass(frozen=True)
class PoolTile:
    """The decisions: vectors of `lanes` outputs, and which maximum.

    `in_registers`, where it `can_pool_rows`, writes no line in between.
    """

    lanes: int
    maxnum: bool
    in_registers: bool = False


def default_tile(workload: WindowWorkload, core: Core) -> PoolTile:
    """The longest vectors that fit a row."""
    rows, columns = workload.output_size
    lanes = min(core.lanes, 1 << (columns.bit_length() - 1))
    in_registers = core.isa == "aarch64" and lanes > 1 and can_pool_rows(workload)
    if in_registers and is_short(rows, columns, core):
        lanes = core.lanes
    return PoolTile(lanes, has_maxnum(core), in_registers)


def neutral(workload: WindowWorkload) -> tirx.Expr:
    """What changes no result: where a pool starts, and what its border holds."""
    least = -128 if workload.dtype == "int8" else -math.inf
    return tirx.const(least if workload.kind == "max" else 0, workload.dtype)


def combined(
    workload: WindowWorkload, so_far: tirx.Expr, value: tirx.Expr, *, maxnum: bool
) -> tirx.Expr:
    """What a pool makes of two values."""
    if workload.kind != "max":
        return so_far + value
    if not maxnum and not isinstance(so_far, tirx.Var):
        so_far = T.bind(so_far)  # it is looked at twice, and so would be all that is in it
    return larger(so_far, value, maxnum=maxnum)


def share_of_a_tap(workload: WindowWorkload, row: Index, column: Index) -> tirx.Expr:
    """What a mean multiplies the sum of the window at (`row`, `column`) by."""
    if workload.kind == "average":
        return tirx.const(1 / (workload.kernel[0] * workload.kernel[1]), workload.dtype)
    taps = 1
    for axis, place in enumerate((row, column)):
        first = place * workload.stride - workload.padding[axis]
        end = tirx.min(first + workload.kernel[axis], workload.size[axis])
        taps = taps * (end - tirx.max(first, 0))
    return tirx.const(1, workload.dtype) / tirx.Cast(workload.dtype, taps)


def pool(workload: WindowWorkload, tile: PoolTile, threads: int) -> tirx.PrimFunc:
    """The kernel: parameters X (channels, H, W) and Y, of the workload's dtypes.

    Y is (channels, rows, columns), or with channels last where the workload says so. Threads share
    the rows.
    """
    rows, columns = workload.output_size
    channels = workload.stored_channels or workload.channels
    y_shape = (channels, rows, columns)
    y_shape = (*y_shape[1:], channels) if workload.writes_channels else y_shape
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("pool")
        T.func_attr({"tirx.noalias": True, "macs": 0, "schedule": "default"})
        x = T.arg("X", T.Buffer((workload.channels, *workload.size), workload.dtype))
        y = T.arg("Y", T.Buffer(y_shape, workload.dtype))
        with share_of(rows, threads) as share:
            if tile.in_registers:
                combine = functools.partial(combined, workload, maxnum=tile.maxnum)
                pool_rows(workload, tile.lanes, combine, neutral(workload), share, x, y)
            else:
                _by_lines(workload, tile, share, x, y)
    return builder.get().without_attr("global_symbol")


def _by_lines(
    workload: WindowWorkload, tile: PoolTile, share: Bounds, x: tirx.Buffer, y: tirx.Buffer
) -> None:
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
    """A row of some channels into a scratch, which is read across: stores of whole vectors.

    240 channels at 14x14 on AVX-512 (2026-11-24): 120 thousand clock ticks with single
    stores, 99 so.
    """
    _, columns = workload.output_size
    together = vector_width(workload.channels, tile.lanes)
    with T.serial(workload.channels // together) as block, T.serial(*share) as row:
        pooled = T.alloc_buffer((together, columns), workload.dtype)
        with T.serial(together) as inner:
            _combine_rows(workload, tile, block * together + inner, row, x, line)
            _combine_columns(
                workload,
                tile,
                row,
                line,
                lambda column, v: T.buffer_store(pooled, v, [inner, column]),
            )
        with T.serial(columns) as column, T.vectorized(together) as lane:
            channel = workload.first_channel + block * together + lane
            T.buffer_store(y, pooled[lane, column], [row, column, channel])


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
