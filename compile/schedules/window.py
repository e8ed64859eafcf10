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

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules import depthwise_rows
from compile.schedules.depthwise_vectors import RowsTile
from compile.schedules.maximum import rectified
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.phases import fill_phases
from compile.schedules.precision import converted
from compile.schedules.spans import Index
from compile.schedules.threads import Bounds, share_of
from compile.schedules.tiles import vector_width
from compile.schedules.transpose import row_of, store_across
from compile.schedules.window_tiles import WindowTile, band_shape, starts_of
from compile.schedules.window_workload import WindowWorkload


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
    packed = (workload.groups, m_tiles, workload.inputs, *workload.kernel, tile.channels)
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("window")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg(
            "X", T.Buffer((workload.groups * workload.inputs, *workload.size), workload.dtype)
        )
        weights = T.arg("W", T.Buffer(packed, workload.dtype))
        bias = T.arg("B", T.Buffer((workload.channels,), workload.dtype)) if workload.bias else None
        y = T.arg("Y", T.Buffer(workload.output_shape, workload.result_dtype))
        each_tile = _each_tile_across if workload.writes_channels else _each_tile
        for place, phases, target in each_tile(workload, tile, threads, x, y):
            acc = T.alloc_buffer(
                (tile.channels, tile.rows, tile.vectors, tile.lanes), workload.dtype, scope="local"
            )
            _start(workload, tile, place, acc, bias)
            _accumulate(workload, tile, place, acc, phases, weights)
            _finish(workload, tile, place, acc, target)
    return builder.get().without_attr("global_symbol")


def _each_tile(
    workload: WindowWorkload, tile: WindowTile, threads: int, x: tirx.Buffer, y: tirx.Buffer
) -> Iterator[tuple[_Place, tirx.Buffer, _Target]]:
    """The loops over groups, bands and tiles, with a band's scratch and where its values go; the
    body runs once, inside.
    """
    for share, together in _shared_bands(workload, tile, threads):
        with T.serial(workload.groups) as group, T.serial(*share) as band:
            for place, phases in _tiles_of_band(workload, tile, x, group, band, together):
                channel = workload.first_channel + group * workload.outputs + place.channel
                yield place, phases, _Target(y, channel, place.row, place.column)


def _each_tile_across(
    workload: WindowWorkload, tile: WindowTile, threads: int, x: tirx.Buffer, y: tirx.Buffer
) -> Iterator[tuple[_Place, tirx.Buffer, _Target]]:
    """The same where channels, which are groups, come into the lanes: a band of some channels goes
    to a scratch, and from there across. With single stores 0.5x g3 at 480x640 took 9 % longer on
    AVX-512 (2.44 instead of 2.25 ms, one thread of an EPYC, Zen 5, 2026-11-26).
    """
    channels, columns = vector_width(workload.groups, tile.lanes), workload.output_size[1]
    for share, together in _shared_bands(workload, tile, threads):
        with T.serial(workload.groups // channels) as block, T.serial(*share) as band:
            made = T.alloc_buffer((channels, together * tile.rows, columns), workload.dtype)
            with T.serial(channels) as inner:
                group = block * channels + inner
                for place, phases in _tiles_of_band(workload, tile, x, group, band, together):
                    yield place, phases, _Target(made, inner, place.row - place.top, place.column)
            _, _, top, bottom = _rows_of_band(workload, tile, band, together)
            with T.serial(bottom - top) as row:
                at = top + row, workload.first_channel + block * channels
                store_across(row_of(made, row), (channels, columns), y, at)


def _shared_bands(
    workload: WindowWorkload, tile: WindowTile, threads: int
) -> Iterator[tuple[Bounds, int]]:
    """A thread's share of the bands, and how many rows of tiles each has; the body runs once."""
    count = len(tile_starts(workload.output_size[0], tile.rows))
    together = min(tile.band, -(-count // threads))
    with share_of(-(-count // together), threads) as share:
        yield share, together


def _rows_of_band(
    workload: WindowWorkload, tile: WindowTile, band: tirx.Expr, together: int
) -> tuple[tirx.Expr, tirx.Expr, tirx.Expr, tirx.Expr]:
    """The first row of tiles of a band, the one behind it, its first row and the one behind it."""
    rows = workload.output_size[0]
    count = len(tile_starts(rows, tile.rows))
    first, end = band * together, band * together + together
    end = end if count % together == 0 else tirx.min(end, count)
    top = start_of(first, tile.rows, rows)
    return first, end, top, start_of(end - 1, tile.rows, rows) + tile.rows


def _tiles_of_band(
    workload: WindowWorkload,
    tile: WindowTile,
    x: tirx.Buffer,
    group: tirx.Expr,
    band: tirx.Expr,
    together: int,
) -> Iterator[tuple[_Place, tirx.Buffer]]:
    """The loops over the tiles of a group's band, with its scratch; the body runs once, inside."""
    m_starts, _, x_starts = starts_of(workload, tile)
    first, end, top, bottom = _rows_of_band(workload, tile, band, together)
    phases = T.alloc_buffer(band_shape(workload, tile, together), workload.dtype)
    fill_phases(workload, tile.lanes, group, x, phases, (top, bottom))
    over_y = T.serial(end - first)  # from 0: see share_of
    with over_y as y, T.serial(len(m_starts)) as m_tile, T.serial(len(x_starts)) as x_tile:
        yield _place(workload, tile, group, (first + y, m_tile, x_tile), top), phases


@dataclass(frozen=True)
class _Target:
    """Where the values of a tile go: planes, and the first channel, row and column there."""

    planes: tirx.Buffer
    channel: Index
    row: Index
    column: Index


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
    workload: WindowWorkload, tile: WindowTile, place: _Place, acc: tirx.Buffer, target: _Target
) -> None:
    for m, row, vector, lane in _each_value(tile):
        value = acc[m, row, vector, lane]
        value = rectified(value, maxnum=tile.maxnum) if workload.relu else value
        column = target.column + vector * tile.lanes + lane
        at = [target.channel + m, target.row + row, column]
        T.buffer_store(target.planes, converted(value, str(target.planes.dtype)), at)


def _each_value(tile: WindowTile) -> Iterator[tuple[tirx.Expr, ...]]:
    """The loops over a tile's accumulators; the body runs once, inside them."""
    channels, rows, vectors = (T.unroll(n) for n in (tile.channels, tile.rows, tile.vectors))
    with channels as m, rows as row, vectors as vector, T.vectorized(tile.lanes) as lane:
        yield m, row, vector, lane
