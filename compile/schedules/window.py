"""Convolutions of any kernel, depthwise ones too: sliding windows over padded planes.

    Y[g*M + m, y, x] = relu(B[g*M + m] + sum_kij W[g, m, k, i, j] * P[g*K + k, s*y + i, s*x + j])

P is the input with its border. It is copied into a scratch of s column phases, so that outputs side
by side read inputs side by side at any stride s:

    for g:
      phases[k, j, row, x] = P[g*K + k, row, s*x + j]
      for y_tile, m_tile, x_tile:
        acc[m, y, vectors] = B                          # in registers
        for k, i: for j (unrolled): acc += W[.., j, m] * phases[k, j % s, s*y + i, x + j // s]
        Y[..] = max(acc, 0)

As in `pointwise`, the last tile of an axis begins earlier, so there is no tail. Pools share the
workload and have a template of their own, `pool`.

Stem of 1x g3 (24x112x112, with bias and ReLU): 121 us, 134 GFLOP/s; 694 us by `generic` as three
kernels. Depthwise 60x28x28: 10 us against 28. One thread of an AVX-512 Xeon, shared, 2026-11-23.
Modelled multiply-adds a cycle (2026-11-24): stem 3.38 of 4 on A72 and 6.35 of 8 on N1, depthwise
2.4 to 3.2 and 3.6 to 4.7 at stride 1, 1.3 to 1.9 and 1.5 to 2.8 at stride 2; never measured on ARM.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules import depthwise_rows
from compile.schedules.depthwise_rows import RowsTile, can_convolve_rows
from compile.schedules.maximum import has_maxnum, rectified
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.phases import fill_phases
from compile.schedules.precision import converted
from compile.schedules.registers import accumulator_budget, tile_cycles
from compile.schedules.short_rows import is_short
from compile.schedules.threads import share_of
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core

ROWS_IN_REGISTERS = (1, 2, 3, 4, 7)
ACCUMULATORS_IN_REGISTERS = 28
MAX_ROWS = 4  # of a tile: more only lengthen the code
# On AArch64, accumulators and rows of a tile. Channelwise with 14, LLVM keeps inputs of three rows,
# too, and spills; 2 x 2 at 14x14 takes 5 % fewer modelled cycles than 3 x 2. Dense, 3 channels x 7
# vectors of one row take 2.41 M modelled cycles for the stem on A72, 2 x 2 x 4 spills (2.43 M).
ARM_CHANNELWISE = (8, 2)
ARM_DENSE = (21, 1)
# Of copying a vector of the input, as it lies and sorted by phase of the column; fitted to six
# depthwise kernels on AVX2 (2026-11-25).
COPIED_VECTOR_CYCLES, SORTED_VECTOR_CYCLES = 1.0, 3.0


@dataclass(frozen=True)
class WindowTile:
    """The decisions: `channels` x `rows` x `vectors` accumulators of `lanes` columns.

    The scratch holds what `band` rows of tiles read, at most. With `in_registers`, where the
    workload allows, there is none (see `depthwise_rows`).
    """

    channels: int
    rows: int
    vectors: int
    lanes: int
    maxnum: bool = False
    band: int = 1
    in_registers: bool = False
    shorter: bool = False


def default_tile(workload: WindowWorkload, core: Core) -> WindowTile:
    """The tile with the least modelled cycles among those whose accumulators fit the registers."""
    if core.isa == "aarch64" and can_convolve_rows(workload):
        return _default_in_registers(workload, core)
    tile = min(
        fitting_tiles(workload, core), key=lambda tile: _modelled_cycles(workload, core, tile)
    )
    return replace(tile, band=_default_band(workload, tile, core))


def fitting_tiles(workload: WindowWorkload, core: Core) -> list[WindowTile]:
    """The tiles whose accumulators fit the registers, of one row of tiles a band."""
    rows, columns = workload.output_size
    lanes = _lanes(workload, core)
    budget, most_rows = accumulator_budget(core), MAX_ROWS
    if core.isa == "aarch64":
        limits = ARM_CHANNELWISE if workload.is_channelwise else ARM_DENSE
        budget, most_rows = limits
    return [
        WindowTile(channels, tile_rows, vectors, lanes, has_maxnum(core))
        for channels, tile_rows, vectors in itertools.product(range(1, budget + 1), repeat=3)
        if channels * tile_rows * vectors <= budget
        and channels <= workload.outputs
        and tile_rows <= min(rows, most_rows)
        and vectors * lanes <= columns
    ]


def _default_in_registers(workload: WindowWorkload, core: Core) -> WindowTile:
    """Two rows of up to four vectors; of rows of one or two vectors as many as eight."""
    rows, columns = workload.output_size
    lanes = core.lanes if is_short(rows, columns, core) else _lanes(workload, core)
    vectors = min(-(-columns // lanes), 4)
    most_rows = 2 if vectors > 2 else 8
    return WindowTile(
        1, min(rows, most_rows), vectors, lanes, has_maxnum(core), in_registers=True, shorter=True
    )


def tiles_in_registers(workload: WindowWorkload, core: Core) -> Iterator[WindowTile]:
    """Tiles of `depthwise_rows` that do not spill much; none where the core has others."""
    if core.isa != "aarch64" or not can_convolve_rows(workload):
        return
    default = _default_in_registers(workload, core)
    rows, columns = workload.output_size
    widest = -(-columns // default.lanes)
    choices = itertools.product(ROWS_IN_REGISTERS, range(1, min(widest, 8) + 1), (True, False))
    for tile_rows, vectors, shorter in choices:
        if tile_rows <= rows and tile_rows * vectors <= ACCUMULATORS_IN_REGISTERS:
            yield replace(default, rows=tile_rows, vectors=vectors, shorter=shorter)


def _lanes(workload: WindowWorkload, core: Core) -> int:
    """The longest vectors that fit a row."""
    return min(core.lanes, 1 << (workload.output_size[1].bit_length() - 1))


def banded(workload: WindowWorkload, tile: WindowTile, core: Core) -> Iterator[WindowTile]:
    """`tile` with bands of the default height, of one row of tiles, and of the whole picture."""
    count = len(tile_starts(workload.output_size[0], tile.rows))
    for band in dict.fromkeys((_default_band(workload, tile, core), 1, count)):
        yield replace(tile, band=band)


def _default_band(workload: WindowWorkload, tile: WindowTile, core: Core) -> int:
    """As many rows of tiles as read no more than three quarters of the L1 cache; one at least.

    The stem of 1x g3 on AVX-512 (2026-11-24), thousands of clock ticks: 324 with 1 row of tiles,
    346 with 2, 366 with 4, 390 with all.
    """
    count = len(tile_starts(workload.output_size[0], tile.rows))
    sizes = (math.prod(_band_shape(workload, tile, band)) for band in range(1, count + 1))
    return max(sum(core.value_bytes * size <= core.l1d_kib * 768 for size in sizes), 1)


def _band_shape(workload: WindowWorkload, tile: WindowTile, band: int) -> tuple[int, int, int, int]:
    """Of the scratch for `band` rows of tiles."""
    channels, stride, padded_rows, columns = workload.phases_shape
    rows = (band * tile.rows - 1) * stride + workload.kernel[0]
    return channels, stride, min(rows, padded_rows), columns


def modelled_cycles(workload: WindowWorkload, core: Core) -> float:
    """Of one call with the default tile: a rank for choosing, not a prediction."""
    tile = default_tile(workload, core)
    return workload.groups * _modelled_cycles(workload, core, tile)


def pack_weights(weights: np.ndarray, workload: WindowWorkload, tile: WindowTile) -> np.ndarray:
    """OIHW (groups * M, K, I, J) to [group][m tile][k][i][j][m], in the order of use."""
    if tile.in_registers:
        return depthwise_rows.pack_weights(weights, workload)
    grouped = weights.reshape(workload.groups, workload.outputs, workload.inputs, *workload.kernel)
    starts = tile_starts(workload.outputs, tile.channels)
    blocks = [grouped[:, s : s + tile.channels].transpose(0, 2, 3, 4, 1) for s in starts]
    return np.ascontiguousarray(np.stack(blocks, axis=1))


def window(workload: WindowWorkload, tile: WindowTile, threads: int) -> tirx.PrimFunc:
    """The kernel: parameters X (groups * K, H, W), W as packed, [B (groups * M,)], Y.

    Y is (channels, rows, columns), or with channels last where the workload says so. Threads share
    the bands of rows.
    """
    if tile.in_registers:
        rows_tile = RowsTile(tile.rows, tile.vectors, tile.lanes, tile.maxnum, tile.shorter)
        return depthwise_rows.depthwise_rows(workload, rows_tile, threads)
    m_tiles = len(tile_starts(workload.outputs, tile.channels))
    channels = workload.stored_channels or workload.channels
    packed = (workload.groups, m_tiles, workload.inputs, *workload.kernel, tile.channels)
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("window")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg(
            "X", T.Buffer((workload.groups * workload.inputs, *workload.size), workload.dtype)
        )
        weights = T.arg("W", T.Buffer(packed, workload.dtype))
        bias = T.arg("B", T.Buffer((workload.channels,), workload.dtype)) if workload.bias else None
        y_shape = (channels, *workload.output_size)
        y_shape = (*y_shape[1:], channels) if workload.writes_channels else y_shape
        y = T.arg("Y", T.Buffer(y_shape, workload.result_dtype))
        for place, phases in _each_tile(workload, tile, threads, x):
            acc = T.alloc_buffer(
                (tile.channels, tile.rows, tile.vectors, tile.lanes), workload.dtype, scope="local"
            )
            _start(workload, tile, place, acc, bias)
            _accumulate(workload, tile, place, acc, phases, weights)
            _finish(workload, tile, place, acc, y)
    return builder.get().without_attr("global_symbol")


def _each_tile(
    workload: WindowWorkload, tile: WindowTile, threads: int, x: tirx.Buffer
) -> Iterator[tuple[_Place, tirx.Buffer]]:
    """The loops over groups, bands and tiles, with a band's scratch; the body runs once, inside."""
    m_starts, y_starts, x_starts = _starts(workload, tile)
    rows = workload.output_size[0]
    together = min(tile.band, -(-len(y_starts) // threads))
    bands = share_of(-(-len(y_starts) // together), threads)
    with bands as share, T.serial(workload.groups) as group, T.serial(*share) as band:
        first = band * together
        end = first + together
        end = end if len(y_starts) % together == 0 else tirx.min(end, len(y_starts))
        top = start_of(first, tile.rows, rows)
        bottom = start_of(end - 1, tile.rows, rows) + tile.rows
        phases = T.alloc_buffer(_band_shape(workload, tile, together), workload.dtype)
        fill_phases(workload, tile.lanes, group, x, phases, (top, bottom))
        over_y = T.serial(end - first)  # from 0: see share_of
        with over_y as y, T.serial(len(m_starts)) as m_tile, T.serial(len(x_starts)) as x_tile:
            yield _place(workload, tile, group, (first + y, m_tile, x_tile), top), phases


@dataclass(frozen=True)
class _Place:
    """Where a tile lies: its group, its index among the channels, its first values.

    `top` is the first row of its band.
    """

    group: tirx.Expr
    m_tile: tirx.Expr
    channel: tirx.Expr
    row: tirx.Expr
    column: tirx.Expr
    top: tirx.Expr


def _tile_count(workload: WindowWorkload, tile: WindowTile) -> int:
    return int(np.prod([len(starts) for starts in _starts(workload, tile)]))


def _starts(workload: WindowWorkload, tile: WindowTile) -> tuple[list[int], list[int], list[int]]:
    rows, columns = workload.output_size
    return (
        tile_starts(workload.outputs, tile.channels),
        tile_starts(rows, tile.rows),
        tile_starts(columns, tile.vectors * tile.lanes),
    )


def _place(
    workload: WindowWorkload,
    tile: WindowTile,
    group: tirx.Expr,
    index: tuple[tirx.Expr, tirx.Expr, tirx.Expr],
    top: tirx.Expr,
) -> _Place:
    """The tile of `index`: its row, which is outermost, its channels, its columns.

    Columns run fastest, then channels: the rows of the scratch that they read stay in L1.
    """
    y_tile, m_tile, x_tile = index
    rows, columns = workload.output_size
    return _Place(
        group=group,
        m_tile=m_tile,
        channel=start_of(m_tile, tile.channels, workload.outputs),
        row=start_of(y_tile, tile.rows, rows),
        column=start_of(x_tile, tile.vectors * tile.lanes, columns),
        top=top,
    )


def _start(
    workload: WindowWorkload,
    tile: WindowTile,
    place: _Place,
    acc: tirx.Buffer,
    bias: tirx.Buffer | None,
) -> None:
    for m, row, vector, lane in _each_value(tile):
        channel = place.group * workload.outputs + place.channel + m
        value = tirx.const(0, workload.dtype) if bias is None else bias[channel]
        T.buffer_store(acc, value, [m, row, vector, lane])


def _accumulate(
    workload: WindowWorkload,
    tile: WindowTile,
    place: _Place,
    acc: tirx.Buffer,
    phases: tirx.Buffer,
    weights: tirx.Buffer,
) -> None:
    stride, (kernel_rows, kernel_columns) = workload.stride, workload.kernel
    tap_rows = T.unroll if workload.inputs == 1 else T.serial
    with T.serial(workload.inputs) as k, tap_rows(kernel_rows) as i:
        for j in range(kernel_columns):
            for m, row, vector, lane in _each_value(tile):
                column = place.column + vector * tile.lanes + lane + j // stride
                value = phases[k, j % stride, (place.row - place.top + row) * stride + i, column]
                at = [m, row, vector, lane]
                product = value * weights[place.group, place.m_tile, k, i, j, m]
                T.buffer_store(acc, acc[at] + product, at)


def _finish(
    workload: WindowWorkload, tile: WindowTile, place: _Place, acc: tirx.Buffer, y: tirx.Buffer
) -> None:
    for m, row, vector, lane in _each_value(tile):
        value = acc[m, row, vector, lane]
        value = rectified(value, maxnum=tile.maxnum) if workload.relu else value
        channel = workload.first_channel + place.group * workload.outputs + place.channel + m
        column = place.column + vector * tile.lanes + lane
        pixel = [place.row + row, column]
        at = [*pixel, channel] if workload.writes_channels else [channel, *pixel]
        T.buffer_store(y, converted(value, str(y.dtype)), at)


def _each_value(tile: WindowTile) -> Iterator[tuple[tirx.Expr, ...]]:
    """The loops over a tile's accumulators; the body runs once, inside them."""
    channels, rows, vectors = (T.unroll(n) for n in (tile.channels, tile.rows, tile.vectors))
    with channels as m, rows as row, vectors as vector, T.vectorized(tile.lanes) as lane:
        yield m, row, vector, lane


def _modelled_cycles(workload: WindowWorkload, core: Core, tile: WindowTile) -> float:
    """Of one group."""
    taps = workload.inputs * workload.kernel[0] * workload.kernel[1]
    vectors = tile.rows * tile.vectors
    cycles = tile_cycles(core, "planes", tile.lanes, tile.channels, vectors, taps)
    return _tile_count(workload, tile) * cycles + _fill_cycles(workload, tile.lanes)


def _fill_cycles(workload: WindowWorkload, lanes: int) -> float:
    """Of one group's scratch, each row of which is copied once."""
    per_vector = SORTED_VECTOR_CYCLES if workload.stride > 1 else COPIED_VECTOR_CYCLES
    return workload.inputs * workload.size[0] * -(-workload.size[1] // lanes) * per_vector
