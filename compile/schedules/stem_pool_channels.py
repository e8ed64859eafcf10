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

With AVX-512 the half vector that 24 channels leave is one of two columns (`stem_pool_halves`). Of
1x g3 at 224 it takes 68 us alone and 69 to 71 in the network (Zen 5, shared, 2026-11-27), which
reads the picture from L3: 78 to 82 where the next rows are not prefetched, and the outputs need no
prefetch. LLVM does not know how many rows of taps there are, or it writes out all three, which
spills: 70 alone; with all planes written out 83. Tiles of 1, 3 or 4 values are slower. AVX2 code
alone takes as long as without both (130 us there).

Of 1x g3 on AVX2 (EPYC, Zen 3, shared, 2026-11-26): at 224 189 us, the two kernels apart 210; at
480x640 1449 and 1934. Maxima of floats, which look twice for NaN, took 9 us more at 224; one branch
a tile for them, on a sum of all, 8 more; taps written out, without a loop, spilled 459 times in 324
multiply-adds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.precision import converted
from compile.schedules.prefetch import PREFETCH_TO_READ_FROM_L1, prefetch
from compile.schedules.spans import span
from compile.schedules.stem_pool_channels_tiles import StemPoolChannelsTile
from compile.schedules.stem_pool_halves import HalfSums, Halves, pack_halves
from compile.schedules.stem_pool_maxima import largest_of_rows, result_of, values_of_columns
from compile.schedules.stem_pool_places import Place, taps_of
from compile.schedules.stem_pool_workload import (
    COLUMNS,
    FLOAT,
    KERNEL,
    ROWS,
    STRIDE,
    StemPoolWorkload,
)
from compile.schedules.threads import share_of

AVX2_LANES = 8


def pack_weights(
    weights: np.ndarray, workload: StemPoolWorkload, tile: StemPoolChannelsTile
) -> np.ndarray:
    """OIHW to [m tile][i][j][k][m], in the order of use; of halves j is the step."""
    if tile.halved:
        weights = np.concatenate([weights[: tile.width], pack_halves(weights[tile.width :])])
    split = weights.reshape(-1, tile.packed_width, workload.inputs, KERNEL, KERNEL)
    return np.ascontiguousarray(split.transpose(0, 3, 4, 2, 1))


def stem_pool_channels(
    workload: StemPoolWorkload, tile: StemPoolChannelsTile, threads: int
) -> tirx.PrimFunc:
    """The kernel: parameters X (inputs, H, W), W as packed, B (outputs,), Y (rows, columns,
    outputs).
    """
    rows, columns = workload.output_size
    m_tiles = workload.outputs // tile.width
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("stem_pool")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg("X", T.Buffer((workload.inputs, *workload.size), FLOAT))
        packed = (m_tiles, KERNEL, KERNEL, workload.inputs, tile.packed_width)
        weights = T.arg("W", T.Buffer(packed, FLOAT))
        bias = T.arg("B", T.Buffer((workload.outputs,), FLOAT))
        y_shape = (rows, columns, workload.outputs)
        y = T.arg("Y", T.Buffer(y_shape, workload.result_dtype))
        with share_of(rows, threads) as (first, end):
            last = T.alloc_buffer((COLUMNS * columns, m_tiles * tile.width), FLOAT)
            halves = Halves.of_rows(tile.lanes, tile.width, columns) if tile.halved else None
            kernel = _Kernel(workload, tile, x, weights, bias, y, last, halves)
            kernel.begin(first)
            with T.serial(end - first) as row:
                kernel.make_row(first + row)
    return builder.get().without_attr("global_symbol")


@dataclass(frozen=True)
class _Kernel:
    """What the loops work on; `last` is the row of the convolution above, in whole vectors."""

    workload: StemPoolWorkload
    tile: StemPoolChannelsTile
    x: tirx.Buffer
    weights: tirx.Buffer
    bias: tirx.Buffer
    y: tirx.Buffer
    last: tirx.Buffer
    halves: Halves | None

    def begin(self, row: int | tirx.Expr) -> None:
        """`last` above `row` of the pool: 0 at the top, which changes no maximum of ReLUs."""
        with T.If(row == 0):
            with T.Then():
                for last in [self.last, *([self.halves.last] if self.halves else [])]:
                    with T.grid(*last.shape) as at:
                        T.buffer_store(last, tirx.const(0, FLOAT), list(at))
            with T.Else():
                for place in self._tiles(row - 1, is_top=False):
                    acc, half_sums = self._convolve(place, rows=(ROWS - 1,))
                    with T.unroll(self.tile.vectors) as vector:
                        for column in range(self._columns):
                            self._keep(place, vector, column, self._result(acc, 0, column, vector))
                    if self.halves:
                        self.halves.keep(half_sums, 0, place.column, is_left=place.is_left)

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
            self._prefetch(place)
            acc, half_sums = self._convolve(place, rows=range(ROWS))
            with T.unroll(self.tile.vectors) as vector:
                self._combine(place, vector, acc, left)
            if self.halves:
                self._store_halves(place, half_sums)

    def _prefetch(self, place: Place) -> None:
        """The inputs of the next row of the pool that no row has read, in the columns of this tile.

        Behind the last row nothing is read.
        """
        below = place.row_of(ROWS - 1, KERNEL)
        for k, row in itertools.product(range(self.workload.inputs), range(ROWS * STRIDE)):
            address = T.address_of(self.x[k, below + row, place.column_of(0, 1)])
            prefetch(address, PREFETCH_TO_READ_FROM_L1)

    def _tiles(self, row: int | tirx.Expr, *, is_top: bool) -> Iterator[Place]:
        """The tiles of one row of the pool, the first of them apart."""
        width, values = self.tile.width, self.tile.values
        tiles = self.workload.output_size[1] // values
        with T.serial(self.workload.outputs // width) as m_tile:
            yield Place(m_tile, m_tile * width, row, 0, is_top, is_left=True)
            with T.serial(tiles - 1) as tile:
                column = (tile + 1) * values
                yield Place(m_tile, m_tile * width, row, column, is_top, is_left=False)

    def _convolve(self, place: Place, rows: Sequence[int]) -> tuple[tirx.Buffer, HalfSums | None]:
        """The accumulators of these rows and all columns, and of their halves."""
        tile = self.tile
        shape = (len(rows), self._columns, tile.vectors, tile.lanes)
        acc = T.alloc_buffer(shape, FLOAT, scope="local")
        for at, column in itertools.product(range(len(rows)), range(self._columns)):
            for vector, lane in self._each_value():
                start = self.bias[place.channel + vector * tile.lanes + lane]
                T.buffer_store(acc, start, [at, column, vector, lane])
        half_sums = self.halves and self.halves.start(len(rows), tile.values, self.bias)
        for up, across, tap in self._each_tap(place):
            for at, row in enumerate(rows):
                if not (up and row == 0):
                    self._add(place, acc, (at, row), tap, blank_first=across)
                    if half_sums:
                        self._add_halves(place, half_sums, (at, row), tap)
        return acc, half_sums

    def _each_tap(self, place: Place) -> Iterator[tuple[bool, bool, tuple[tirx.Expr, ...]]]:
        """The loops over rows, columns and inputs of the taps; the body runs inside.

        Whether the first row and the first column have none there, and the tap. With AVX-512 in the
        order in which the convolution alone adds over planes (halves add what lies between columns
        last), and with columns written out, which spills less.
        """
        inputs = self.workload.inputs
        if self.tile.lanes > AVX2_LANES:
            with T.serial(inputs) as k:
                for up, i in taps_of(place.is_top):
                    for j in range(KERNEL):
                        yield up, place.is_left and j == 0, (i, j, k)
            return
        for up, i in taps_of(place.is_top):
            for across, j in taps_of(place.is_left):
                with T.unroll(inputs) as k:
                    yield up, across, (i, j, k)

    def _add(
        self,
        place: Place,
        acc: tirx.Buffer,
        rows: tuple[int, int],
        tap: tuple[tirx.Expr, ...],
        *,
        blank_first: bool,
    ) -> None:
        """The products of one tap in whole vectors; `rows` are that of `acc` and of the tile.

        Where the first column has nothing under the tap it is left out.
        """
        (at, row), (i, j, k) = rows, tap
        for column in range(1 if blank_first else 0, self._columns):
            value = self.x[k, place.row_of(row, i), place.column_of(column, j)]
            for vector, lane in self._each_value():
                weight = self.weights[(place.m_tile, *tap, vector * self.tile.lanes + lane)]
                index = [at, column, vector, lane]
                T.buffer_store(acc, acc[tuple(index)] + value * weight, index)

    def _add_halves(
        self, place: Place, sums: HalfSums, rows: tuple[int, int], tap: tuple[tirx.Expr, ...]
    ) -> None:
        """The same of what is left of the channels."""
        (at, row), (i, step, k) = rows, tap

        def inputs(column: int, j: int, count: int) -> tirx.Expr:
            first = place.column_of(column, j)
            return self.x[k, place.row_of(row, i), span(first, count)]

        taps = self.weights[(place.m_tile, *tap, T.Ramp(self.tile.width, 1, self.tile.lanes))]
        self.halves.add(sums, at, step, inputs, taps)

    def _combine(
        self, place: Place, vector: tirx.Expr, acc: tirx.Buffer, left: tirx.Buffer
    ) -> None:
        """Rows first, then columns."""
        results = [
            [self._result(acc, row, column, vector) for row in range(ROWS)]
            for column in range(self._columns)
        ]
        largest = [
            largest_of_rows(own, self.last[self._place_of(place, vector, column)])
            for column, own in enumerate(results)
        ]
        every = T.Ramp(0, 1, self.tile.lanes)
        columns = list(zip(largest[::COLUMNS], largest[1::COLUMNS], strict=True))
        before = None if place.is_left else left[vector, every]
        for number, value in enumerate(values_of_columns(columns, before)):
            self._store(place, number, value, self._channels(place, vector))
        T.buffer_store(left, largest[-1], [vector, every])
        for column, (*_, lower) in enumerate(results):
            self._keep(place, vector, column, lower)

    def _store_halves(self, place: Place, sums: HalfSums) -> None:
        """What is left of the channels."""
        channels = T.Ramp(self.tile.width, 1, self.tile.lanes // COLUMNS)
        pooled = self.halves.pool(sums, place.column, is_left=place.is_left)
        for number, value in enumerate(pooled):
            self._store(place, number, value, channels)

    def _store(self, place: Place, number: int, value: tirx.Expr, channels: tirx.Expr) -> None:
        at = [place.row, place.column + number, channels]
        T.buffer_store(self.y, converted(value, str(self.y.dtype)), at)

    def _result(self, acc: tirx.Buffer, row: int, column: int, vector: tirx.Expr) -> tirx.Expr:
        return result_of(acc[row, column, vector, T.Ramp(0, 1, self.tile.lanes)])

    def _keep(self, place: Place, vector: tirx.Expr, column: int, value: tirx.Expr) -> None:
        T.buffer_store(self.last, value, list(self._place_of(place, vector, column)))

    def _place_of(
        self, place: Place, vector: tirx.Expr, column: int
    ) -> tuple[tirx.Expr, tirx.Expr]:
        """Of a vector in `last`."""
        return place.column * COLUMNS + column, self._channels(place, vector)

    @property
    def _columns(self) -> int:
        """Of the convolution, under a tile."""
        return COLUMNS * self.tile.values

    def _channels(self, place: Place, vector: tirx.Expr) -> tirx.Expr:
        return T.Ramp(place.channel + vector * self.tile.lanes, 1, self.tile.lanes)

    def _each_value(self) -> Iterator[tuple[tirx.Expr, tirx.Expr]]:
        with T.unroll(self.tile.vectors) as vector, T.vectorized(self.tile.lanes) as lane:
            yield vector, lane
