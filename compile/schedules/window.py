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
from compile.schedules.threads import share_of
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
    m_starts, y_starts, x_starts = starts_of(workload, tile)
    rows = workload.output_size[0]
    together = min(tile.band, -(-len(y_starts) // threads))
    bands = share_of(-(-len(y_starts) // together), threads)
    with bands as share, T.serial(workload.groups) as group, T.serial(*share) as band:
        first = band * together
        end = first + together
        end = end if len(y_starts) % together == 0 else tirx.min(end, len(y_starts))
        top = start_of(first, tile.rows, rows)
        bottom = start_of(end - 1, tile.rows, rows) + tile.rows
        phases = T.alloc_buffer(band_shape(workload, tile, together), workload.dtype)
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
