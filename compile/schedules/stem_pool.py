"""The stem, a 3x3 convolution of stride 2 with ReLU, and the 3x3 max pool of stride 2 behind it.

    Y[m, y, x] = max over the window of relu(B[m] + sum_kij W[m, k, i, j] * P[k, .., ..])

P is the input with its border. What the convolution makes is never written as a picture: a row of
the pool takes two new rows of it and one from before, and of the columns even and odd ones lie
apart, so that neighbours meet lane by lane:

    for y: phases[k, j, row, x] = P[k, 4y + row, 4x + j]      # a band of rows
      for m_tile: for x_tile:
          acc[m, row, e, vectors] = B                         # convolution's (2y + row, 2x + e)
          for k, i, j: acc += W[.., m] * phases[k, (2e + j) % 4, 2row + i, x + (2e + j) // 4]
          column[m, e, x] = max(acc[m, 0], acc[m, 1], last[m, e, x]);  last = acc[m, 1]
        Y[m, y, x] = max(column[m, 0, x], column[m, 1, x], column[m, 1, x - 1], 0)

The ReLU comes last, one value for four; before it negative values may be mixed up, so maxima of
integers do (see `maximum`), and the border of the pool is 0. Only where the convolution's rows and
columns are even. Threads share the outputs, and each sorts the picture by phases for itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.maximum import has_maxnum, larger_for_relu, rectified
from compile.schedules.phases import fill_phases
from compile.schedules.precision import converted
from compile.schedules.stem_pool_workload import (
    COLUMNS,
    FLOAT,
    KERNEL,
    ROWS,
    STRIDE,
    StemPoolWorkload,
)
from compile.schedules.threads import share_of
from compile.schedules.tiles import largest_divisor, vector_width
from compile.schedules.volatile import spread
from deploy_rpc.cores import Core

MOST_VALUES = 5  # of the pool, in vectors: each takes four accumulators


@dataclass(frozen=True)
class StemPoolTile:
    """The decisions: `channels` x `vectors` of `lanes` values of the pool, four accumulators each.

    The scratch holds what `band` rows of the pool read. With `whole` all taps are written out, with
    `spread_bias` every sum is loaded with its bias (see `volatile`), and `aligned` rows of the
    scratch are whole vectors, so that fewer addresses take registers.
    """

    channels: int
    vectors: int
    lanes: int
    band: int = 1
    maxnum: bool = False
    whole: bool = False
    spread_bias: bool = False
    aligned: bool = False


def is_offered(workload: StemPoolWorkload, core: Core) -> bool:
    """Whether `core` has the template, and it can make `workload` in whole vectors."""
    _, columns = workload.output_size
    return core.isa == "aarch64" and workload.is_even and columns % core.lanes == 0


def default_tile(workload: StemPoolWorkload, core: Core) -> StemPoolTile:
    """Of 1x g3 at 224, thousands of modelled cycles on A72 / N1 (2026-11-25):

    4 channels x 1 vector 2333 / 1286, all taps written out 2275 / 1303, but with spills; 2 x 2
    2355 / 1306 and 2313 / 1390. With weights loaded one by one 2386 / 1293; 6 x 1 and 3 x 2 then
    spilled: 2.6 M / 1.6 M and more. Two rows a band took 0.6 % off, for two thirds more L1 misses.
    """
    return StemPoolTile(
        channels=largest_divisor(workload.outputs, 4),
        vectors=1,
        lanes=core.lanes,
        maxnum=has_maxnum(core),
    )


def fitting_tiles(workload: StemPoolWorkload, core: Core) -> Iterator[StemPoolTile]:
    """Tiles without overlap whose accumulators leave registers for what is left of a row."""
    rows, columns = workload.output_size
    default = default_tile(workload, core)
    flags = itertools.product((True, False), repeat=3)
    choices = itertools.product(range(1, 6), (1, 2), (1, 2), flags)
    for channels, vectors, band, (whole, spread_bias, aligned) in choices:
        few = channels * vectors <= MOST_VALUES
        exact = workload.outputs % channels == columns % (vectors * core.lanes) == rows % band == 0
        if few and exact:
            yield replace(
                default,
                channels=channels,
                vectors=vectors,
                band=band,
                whole=whole,
                spread_bias=spread_bias,
                aligned=aligned,
            )


def pack_weights(weights: np.ndarray, workload: StemPoolWorkload, tile: StemPoolTile) -> np.ndarray:
    """OIHW to [m tile][k][i][j][m], in the order of use."""
    tiles = workload.outputs // tile.channels
    split = weights.reshape(tiles, tile.channels, workload.inputs, KERNEL, KERNEL)
    return np.ascontiguousarray(split.transpose(0, 2, 3, 4, 1))


def stem_pool(workload: StemPoolWorkload, tile: StemPoolTile, threads: int) -> tirx.PrimFunc:
    """The kernel: parameters X (inputs, H, W), W as packed, B (outputs,), Y (outputs, rows,
    columns).
    """
    rows, columns = workload.output_size
    m_tiles = workload.outputs // tile.channels
    packed = (m_tiles, workload.inputs, KERNEL, KERNEL, tile.channels)
    window = workload.as_window
    inputs, phase_count, _, phase_columns = window.phases_shape
    pitch = -(-phase_columns // tile.lanes) * tile.lanes if tile.aligned else phase_columns
    band_rows = STRIDE**2 * tile.band + 1
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("stem_pool")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg("X", T.Buffer((workload.inputs, *workload.size), FLOAT))
        weights = T.arg("W", T.Buffer(packed, FLOAT))
        bias = T.arg("B", T.Buffer((workload.outputs,), FLOAT))
        y = T.arg("Y", T.Buffer((workload.outputs, rows, columns), workload.result_dtype))
        with share_of(m_tiles, threads) as (first, end):
            last = T.alloc_buffer((workload.outputs, COLUMNS, columns), FLOAT)
            with T.grid(*last.shape) as at:
                T.buffer_store(last, tirx.const(0, FLOAT), list(at))
            biases = spread(bias, 0, workload.outputs, tile.lanes) if tile.spread_bias else None
            with T.serial(rows // tile.band) as band:
                phases = T.alloc_buffer((inputs, phase_count, band_rows, pitch), FLOAT)
                if pitch > phase_columns:  # a column that nothing reads, or TVM leaves it out
                    T.buffer_store(phases, tirx.const(0, FLOAT), [0, 0, 0, pitch - 1])
                top = band * tile.band
                fill_phases(window, tile.lanes, 0, x, phases, (top, top + tile.band))
                with T.serial(tile.band) as row, T.serial(end - first) as index:
                    place = _Place(first + index, row, top + row)
                    left = T.alloc_buffer((tile.channels, tile.lanes), FLOAT)
                    with T.unroll(tile.channels) as m, T.vectorized(tile.lanes) as lane:
                        T.buffer_store(left, tirx.const(0, FLOAT), [m, lane])
                    with T.serial(columns // (tile.vectors * tile.lanes)) as x_tile:
                        start = x_tile * tile.vectors * tile.lanes
                        acc = _convolve(workload, tile, place, start, phases, weights, bias, biases)
                        _combine(tile, place, start, acc, last, left, y)
    return builder.get().without_attr("global_symbol")


@dataclass(frozen=True)
class _Place:
    """Which tile of outputs, which row of its band, which row of the pool."""

    m_tile: tirx.Expr
    row_of_band: tirx.Expr
    row: tirx.Expr


def _convolve(
    workload: StemPoolWorkload,
    tile: StemPoolTile,
    place: _Place,
    start: tirx.Expr,
    phases: tirx.Buffer,
    weights: tirx.Buffer,
    bias: tirx.Buffer,
    biases: tirx.Buffer | None,
) -> tirx.Buffer:
    """The accumulators of two rows, even and odd columns."""
    acc = T.alloc_buffer((tile.channels, ROWS, COLUMNS, tile.vectors, tile.lanes), FLOAT)
    for at in _each_value(tile):
        channel = place.m_tile * tile.channels + at[0]
        value = bias[channel] if biases is None else biases[channel, at[-1]]
        T.buffer_store(acc, value, at)
    over = T.unroll if tile.whole else T.serial
    with over(workload.inputs) as k, over(KERNEL) as i:
        for j in range(KERNEL):
            taps = T.alloc_buffer((tile.channels,), FLOAT)
            width = vector_width(tile.channels, tile.lanes)
            with T.unroll(tile.channels // width) as part, T.vectorized(width) as within:
                m = part * width + within
                T.buffer_store(taps, weights[place.m_tile, k, i, j, m], [m])
            for m, row, odd, vector, lane in _each_value(tile):
                shift = STRIDE * odd + j
                value = phases[
                    k,
                    shift % STRIDE**2,
                    (place.row_of_band * ROWS + row) * STRIDE + i,
                    start + vector * tile.lanes + lane + shift // STRIDE**2,
                ]
                at = [m, row, odd, vector, lane]
                product = value * taps[m]
                T.buffer_store(acc, acc[tuple(at)] + product, at)
    return acc


def _combine(
    tile: StemPoolTile,
    place: _Place,
    start: tirx.Expr,
    acc: tirx.Buffer,
    last: tirx.Buffer,
    left: tirx.Buffer,
    y: tirx.Buffer,
) -> None:
    """Rows first, then columns: what is left of an even one are the odd ones, one lane further."""
    lanes = tile.lanes
    every = T.Ramp(0, 1, lanes)
    with T.unroll(tile.channels) as m, T.unroll(tile.vectors) as vector:
        channel = place.m_tile * tile.channels + m
        at = T.Ramp(start + vector * lanes, 1, lanes)

        def larger(a: tirx.Expr, b: tirx.Expr) -> tirx.Expr:
            return larger_for_relu(a, b, maxnum=tile.maxnum)

        def column(odd: int) -> tirx.Expr:
            new = [acc[m, row, odd, vector, every] for row in range(ROWS)]
            return T.bind(larger(larger(*new), last[channel, odd, at]))

        even, odd = column(0), column(1)
        before = tirx.Shuffle([left[m, every], odd], list(range(lanes - 1, 2 * lanes - 1)))
        value = larger(larger(even, odd), before)
        value = converted(rectified(value, maxnum=tile.maxnum), str(y.dtype))
        T.buffer_store(y, value, [channel, place.row, at])
        T.buffer_store(left, odd, [m, every])
        for odd_column in range(COLUMNS):
            T.buffer_store(
                last, acc[m, ROWS - 1, odd_column, vector, every], [channel, odd_column, at]
            )


def _each_value(tile: StemPoolTile) -> Iterator[tuple[int | tirx.Expr, ...]]:
    """The loops over a tile's accumulators; the body is written for even and odd columns."""
    for odd in range(COLUMNS):
        channels, rows, vectors = T.unroll(tile.channels), T.unroll(ROWS), T.unroll(tile.vectors)
        with channels as m, rows as row, vectors as vector, T.vectorized(tile.lanes) as lane:
            yield m, row, odd, vector, lane
