"""The stem and the max pool behind it in one, with channels in the lanes.

    Y[y, x, m] = max over the window of relu(B[m] + sum_ijk W[m, k, i, j] * X[k, .., ..])

A value of the pool takes two rows and two columns of the convolution that are its own, one row from
above and one column from the left. What the convolution makes stays in registers, but for one row:

    for y: for m_tile: for x:
      acc[row, column, vectors] = B                             # convolution's (2y + row, 2x + c)
      for i, j, k: acc += W[i, j, k, ..] * X[k, .., ..]
      acc = max(acc, 0)
      column[c] = max(acc[0, c], acc[1, c], last[2x + c, ..]);  last[2x + c, ..] = acc[1, c]
      Y[y, x, ..] = max(column[0], column[1], left);            left = column[1]

Taps outside the picture are left out of the code: the tiles at the top and at the left border are
written apart. Threads share the rows; one that does not begin at the top first makes the row of
the convolution above its own.

Of 1x g3 on AVX2 (EPYC, Zen 3, shared, 2026-11-26): at 224 189 us, the two kernels apart 210; at
480x640 1449 and 1934. Maxima of floats, which look twice for NaN, took 9 us more at 224; one branch
a tile for them, on a sum of all, 8 more; taps written out, without a loop, spilled 459 times in 324
multiply-adds.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.maximum import larger_for_relu, ordered_relu
from compile.schedules.precision import converted
from compile.schedules.registers import accumulator_budget
from compile.schedules.stem_pool_workload import (
    COLUMNS,
    FLOAT,
    KERNEL,
    ROWS,
    STRIDE,
    StemPoolWorkload,
)
from compile.schedules.threads import share_of
from deploy_rpc.cores import Core


@dataclass(frozen=True)
class StemPoolChannelsTile:
    """The decision: `vectors` of `lanes` channels of the pool, four accumulators each."""

    vectors: int
    lanes: int


def is_offered(workload: StemPoolWorkload, core: Core) -> bool:
    """Whether `core` has the template, and it can make `workload` in whole vectors."""
    whole = workload.outputs % core.lanes == 0
    return core.isa == "x86_64" and workload.is_even and whole


def default_tile(workload: StemPoolWorkload, core: Core) -> StemPoolChannelsTile:
    """As many vectors as the registers hold."""
    return max(fitting_tiles(workload, core), key=lambda tile: tile.vectors)


def fitting_tiles(workload: StemPoolWorkload, core: Core) -> list[StemPoolChannelsTile]:
    """Tiles without overlap whose accumulators fit the registers."""
    most = accumulator_budget(core) // (ROWS * COLUMNS)
    vectors = workload.outputs // core.lanes
    fitting = (count for count in range(1, most + 1) if vectors % count == 0)
    return [StemPoolChannelsTile(count, core.lanes) for count in fitting]


def pack_weights(
    weights: np.ndarray, workload: StemPoolWorkload, tile: StemPoolChannelsTile
) -> np.ndarray:
    """OIHW to [m tile][i][j][k][m], in the order of use."""
    width = tile.vectors * tile.lanes
    split = weights.reshape(-1, width, workload.inputs, KERNEL, KERNEL)
    return np.ascontiguousarray(split.transpose(0, 3, 4, 2, 1))


def stem_pool_channels(
    workload: StemPoolWorkload, tile: StemPoolChannelsTile, threads: int
) -> tirx.PrimFunc:
    """The kernel: parameters X (inputs, H, W), W as packed, B (outputs,), Y (rows, columns,
    outputs).
    """
    rows, columns = workload.output_size
    width = tile.vectors * tile.lanes
    m_tiles = workload.outputs // width
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("stem_pool")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg("X", T.Buffer((workload.inputs, *workload.size), FLOAT))
        packed = (m_tiles, KERNEL, KERNEL, workload.inputs, width)
        weights = T.arg("W", T.Buffer(packed, FLOAT))
        bias = T.arg("B", T.Buffer((workload.outputs,), FLOAT))
        y_shape = (rows, columns, workload.outputs)
        y = T.arg("Y", T.Buffer(y_shape, workload.result_dtype))
        with share_of(rows, threads) as (first, end):
            last = T.alloc_buffer((COLUMNS * columns, workload.outputs), FLOAT)
            kernel = _Kernel(workload, tile, x, weights, bias, y, last)
            kernel.begin(first)
            with T.serial(end - first) as row:
                kernel.make_row(first + row)
    return builder.get().without_attr("global_symbol")


@dataclass(frozen=True)
class _Kernel:
    """What the loops work on; `last` is the row of the convolution above."""

    workload: StemPoolWorkload
    tile: StemPoolChannelsTile
    x: tirx.Buffer
    weights: tirx.Buffer
    bias: tirx.Buffer
    y: tirx.Buffer
    last: tirx.Buffer

    def begin(self, row: int | tirx.Expr) -> None:
        """`last` above `row` of the pool: 0 at the top, which changes no maximum of ReLUs."""
        with T.If(row == 0):
            with T.Then(), T.grid(*self.last.shape) as at:
                T.buffer_store(self.last, tirx.const(0, FLOAT), list(at))
            with T.Else():
                for place in self._tiles(row - 1, is_top=False):
                    acc = self._convolve(place, rows=(ROWS - 1,))
                    with T.unroll(self.tile.vectors) as vector:
                        for column in range(COLUMNS):
                            self._keep(place, vector, column, self._result(acc, 0, column, vector))

    def make_row(self, row: tirx.Expr) -> None:
        """One row of Y."""
        with T.If(row == 0):
            with T.Then():
                self._pool(0, is_top=True)
            with T.Else():
                self._pool(row, is_top=False)

    def _pool(self, row: int | tirx.Expr, *, is_top: bool) -> None:
        left = T.alloc_buffer((self.tile.vectors, self.tile.lanes), FLOAT)
        for place in self._tiles(row, is_top=is_top):
            acc = self._convolve(place, rows=range(ROWS))
            with T.unroll(self.tile.vectors) as vector:
                self._combine(place, vector, acc, left)

    def _tiles(self, row: int | tirx.Expr, *, is_top: bool) -> Iterator[_Place]:
        """The tiles of one row of the pool, the first of them apart."""
        width = self.tile.vectors * self.tile.lanes
        columns = self.workload.output_size[1]
        with T.serial(self.workload.outputs // width) as m_tile:
            yield _Place(m_tile, m_tile * width, row, 0, is_top, is_left=True)
            with T.serial(columns - 1) as column:
                yield _Place(m_tile, m_tile * width, row, column + 1, is_top, is_left=False)

    def _convolve(self, place: _Place, rows: Sequence[int]) -> tirx.Buffer:
        """The accumulators of these rows and both columns."""
        tile = self.tile
        acc = T.alloc_buffer((len(rows), COLUMNS, tile.vectors, tile.lanes), FLOAT, scope="local")
        every = list(itertools.product(enumerate(rows), range(COLUMNS)))
        for (at, _), column in every:
            for vector, lane in self._each_value():
                start = self.bias[place.channel + vector * tile.lanes + lane]
                T.buffer_store(acc, start, [at, column, vector, lane])
        for up, i in _taps(place.is_top):
            for across, j in _taps(place.is_left):
                inside = [
                    (at, row, column)
                    for (at, row), column in every
                    if not ((up and row == 0) or (across and column == 0))
                ]
                with T.unroll(self.workload.inputs) as k:
                    for at, row, column in inside:
                        for vector, lane in self._each_value():
                            value = self.x[k, place.row_of(row, i), place.column_of(column, j)]
                            tap = self.weights[place.m_tile, i, j, k, vector * tile.lanes + lane]
                            index = [at, column, vector, lane]
                            T.buffer_store(acc, acc[tuple(index)] + value * tap, index)
        return acc

    def _combine(
        self, place: _Place, vector: tirx.Expr, acc: tirx.Buffer, left: tirx.Buffer
    ) -> None:
        """Rows first, then columns."""
        results = [
            [self._result(acc, row, column, vector) for row in range(ROWS)]
            for column in range(COLUMNS)
        ]
        even, odd = (
            T.bind(functools.reduce(_larger, own, self.last[self._place_of(place, vector, column)]))
            for column, own in enumerate(results)
        )
        every = T.Ramp(0, 1, self.tile.lanes)
        value = _larger(even, odd)
        value = value if place.is_left else _larger(value, left[vector, every])
        channels = self._channels(place, vector)
        T.buffer_store(
            self.y, converted(value, str(self.y.dtype)), [place.row, place.column, channels]
        )
        T.buffer_store(left, odd, [vector, every])
        for column, (*_, lower) in enumerate(results):
            self._keep(place, vector, column, lower)

    def _result(self, acc: tirx.Buffer, row: int, column: int, vector: tirx.Expr) -> tirx.Expr:
        """A vector of what the convolution makes, behind its ReLU."""
        return T.bind(ordered_relu(acc[row, column, vector, T.Ramp(0, 1, self.tile.lanes)]))

    def _keep(self, place: _Place, vector: tirx.Expr, column: int, value: tirx.Expr) -> None:
        T.buffer_store(self.last, value, list(self._place_of(place, vector, column)))

    def _place_of(
        self, place: _Place, vector: tirx.Expr, column: int
    ) -> tuple[tirx.Expr, tirx.Expr]:
        """Of a vector in `last`."""
        return place.column * COLUMNS + column, self._channels(place, vector)

    def _channels(self, place: _Place, vector: tirx.Expr) -> tirx.Expr:
        return T.Ramp(place.channel + vector * self.tile.lanes, 1, self.tile.lanes)

    def _each_value(self) -> Iterator[tuple[tirx.Expr, tirx.Expr]]:
        with T.unroll(self.tile.vectors) as vector, T.vectorized(self.tile.lanes) as lane:
            yield vector, lane


@dataclass(frozen=True)
class _Place:
    """Where a tile lies: its weights, its first channel, its value of the pool, its borders."""

    m_tile: tirx.Expr
    channel: tirx.Expr
    row: int | tirx.Expr
    column: int | tirx.Expr
    is_top: bool
    is_left: bool

    def row_of(self, row: int, i: int) -> tirx.Expr:
        """The row of the picture under tap i of `row` of the tile."""
        return (self.row * ROWS + row) * STRIDE + i - 1

    def column_of(self, column: int, j: int) -> tirx.Expr:
        """The column of the picture under tap j of `column` of the tile."""
        return (self.column * COLUMNS + column) * STRIDE + j - 1


def _larger(a: tirx.Expr, b: tirx.Expr) -> tirx.Expr:
    return larger_for_relu(a, b, maxnum=True)


def _taps(at_border: bool) -> Iterator[tuple[bool, tirx.Expr]]:
    """The loops over the taps of an axis: whether the first value has none there, and the tap."""
    first = 1 if at_border else 0
    for tap in range(first):
        yield True, tap
    with T.serial(KERNEL - first) as tap:  # from 0: see share_of
        yield False, first + tap
