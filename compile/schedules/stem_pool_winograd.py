"""The stem and the max pool behind it in one, over planes; two rows of the convolution share taps.

A row of the pool takes two new rows of the convolution, which see five rows r0 .. r4 of the picture
and have r2 in common. Of each column of taps (w0, w1, w2) they are

    upper = r0 w0 + r1 w1 + r2 w2      = [(r0 - r2) w0 + r1 w1] + r2 (w0 + w2)
    lower = r2 w0 + r3 w1 + r4 w2      = [(r2 - r4) (-w2) + r3 w1] + r2 (w0 + w2)

so that 5 products make what 6 do otherwise: Winograd's F(2, 2) of the rows on which both kernels
have taps (S. Winograd, Arithmetic Complexity of Computations, 1980). The differences are taken once
for all outputs, and the sum that both share begins with the bias:

    for y: terms[k, 0..4, phase, x] = r0 - r2, r1, r2, r3, r2 - r4     # even and odd columns apart
      for m_tile: for x_tile:
        own upper, shared, own lower = 0, B, 0                         # in registers
        for k, j: own upper += ..; shared += ..; own lower += ..
        lower = relu(own lower + shared);  line = max(relu(own upper + shared), lower, last[m, x])
        last[m, x] = lower
        Y[m, y, x / 2] = max(line[x - 1], line[x], line[x + 1])        # of even x

Of infinite pixels the differences are no numbers: such a row is made value by value. Columns behind
the last one are computed, of whatever is there, and never stored. Y may also have channels in the
lanes: then rows of all outputs are transposed, with the same sums to the last bit.
Threads share the rows; one that does not begin at the top first makes the row above its own.

Microseconds at 224 of 12 channels, 0.5x and 0.25x g3, on one thread of an EPYC (Zen 5, AVX-512,
shared, 2026-11-27): 35 to 37 alone, of which the terms take 6, against 39 and 5 of convolution and
pool apart; in the network 39 against 42 and 6. Of 24 channels 67, and 69 with channels in the lanes
(`stem_pool_channels`), which the layers behind want. ReLUs behind the maximum would save 2, and
lose a NaN. Keeping the differences' first row from the row before instead of sorting it again by
columns was no faster. Columns that share products, too (25 for 36), would lie two by two in the
lanes: at 224 they are 3.5 vectors, of which 4 take 3600 multiply-adds for a row of the pool instead
of 3780. That does not pay for more terms and sums; it was not built.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.precision import converted
from compile.schedules.prefetch import PREFETCH_TO_READ_FROM_L1, prefetch
from compile.schedules.registers import FLOAT_BYTES, LINE_BYTES
from compile.schedules.spans import Index, pieces, span
from compile.schedules.stem_pool_maxima import largest_of_rows, result_of, values_of_columns
from compile.schedules.stem_pool_winograd_tiles import (
    KINDS,
    SUMS,
    TERMS,
    StemPoolWinogradTile,
)
from compile.schedules.stem_pool_workload import (
    COLUMNS,
    FLOAT,
    KERNEL,
    ROWS,
    STRIDE,
    StemPoolWorkload,
)
from compile.schedules.threads import share_of
from compile.schedules.transpose import store_across

SEEN_ROWS = STRIDE * ROWS  # of the picture, that no row of the pool above has seen

Store = Callable[[tirx.Expr, Index, tirx.Expr], None]  # channel, columns of the pool, values


def pack_weights(
    weights: np.ndarray, workload: StemPoolWorkload, tile: StemPoolWinogradTile
) -> np.ndarray:
    """OIHW to [m tile][k][j][of the terms][m], in the order of use."""
    above, beside, below = (weights[:, :, i] for i in range(KERNEL))
    of_terms = np.stack([above, beside, above + below, -below], axis=2)
    split = of_terms.reshape(-1, tile.channels, workload.inputs, KINDS, KERNEL)
    return np.ascontiguousarray(split.transpose(0, 2, 4, 3, 1))


def unpack_weights(
    packed: np.ndarray, workload: StemPoolWorkload, tile: StemPoolWinogradTile
) -> np.ndarray:
    """OIHW of what was packed."""
    of_terms = packed.transpose(0, 4, 1, 3, 2)
    above, beside, _, negative = (of_terms[..., kind, :] for kind in range(KINDS))
    weights = np.stack([above, beside, -negative], axis=3)
    return weights.reshape(workload.outputs, workload.inputs, KERNEL, KERNEL)


def stem_pool_winograd(
    workload: StemPoolWorkload, tile: StemPoolWinogradTile, threads: int
) -> tirx.PrimFunc:
    """The kernel: parameters X (inputs, H, W), W as packed, B (outputs,), Y as planes (outputs,
    rows, columns) or (rows, columns, outputs).
    """
    rows, columns = workload.output_size
    m_tiles = workload.outputs // tile.channels
    packed = (m_tiles, workload.inputs, KERNEL, KINDS, tile.channels)
    planes = (workload.outputs, rows, columns)
    y_shape = planes if workload.layout == "planes" else (*planes[1:], planes[0])
    pitch = tile.lanes * (1 + -(-COLUMNS * columns // tile.lanes))
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("stem_pool")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg("X", T.Buffer((workload.inputs, *workload.size), FLOAT))
        weights = T.arg("W", T.Buffer(packed, FLOAT))
        bias = T.arg("B", T.Buffer((workload.outputs,), FLOAT))
        y = T.arg("Y", T.Buffer(y_shape, workload.result_dtype))
        with share_of(rows, threads) as (first, end):
            terms = T.alloc_buffer((workload.inputs, len(TERMS), STRIDE, pitch), FLOAT)
            last = T.alloc_buffer((workload.outputs, pitch), FLOAT)
            for buffer in (terms, last):
                with T.grid(*buffer.shape) as at:
                    T.buffer_store(buffer, tirx.const(0, FLOAT), list(at))
            kernel = _Kernel(workload, tile, x, weights, bias, y, terms, last, first)
            begin = tirx.max(first - 1, 0)
            with T.serial(end - begin) as step:
                kernel.make_row(begin + step)
    return builder.get().without_attr("global_symbol")


@dataclass(frozen=True)
class _Kernel:
    """What the loops work on.

    In `terms` columns begin behind one vector, whose last value is the border of the odd ones;
    `last` is the row of the convolution above, and rows before `first` are another thread's.
    """

    workload: StemPoolWorkload
    tile: StemPoolWinogradTile
    x: tirx.Buffer
    weights: tirx.Buffer
    bias: tirx.Buffer
    y: tirx.Buffer
    terms: tirx.Buffer
    last: tirx.Buffer
    first: Index

    def make_row(self, row: tirx.Expr) -> None:
        """One row of Y."""
        probe = T.alloc_buffer((self.tile.lanes,), FLOAT)
        with T.vectorized(self.tile.lanes) as lane:
            T.buffer_store(probe, tirx.const(0, FLOAT), [lane])
        with T.If(row == 0):
            with T.Then():
                self._fill(row, probe, is_top=True)
            with T.Else():
                self._fill(row, probe, is_top=False)
        make = self._make_planes if self.workload.layout == "planes" else self._make_channels
        with T.If(_is_zero(probe)):
            with T.Then():
                make(row, self._each_tile)
            with T.Else():
                make(row, lambda store: self._each_plane_directly(row, store))

    def _make_planes(self, row: tirx.Expr, convolve: Callable[[Store], None]) -> None:
        def store(channel: tirx.Expr, columns: Index, values: tirx.Expr) -> None:
            with T.If(row >= self.first), T.Then():
                result = converted(values, str(self.y.dtype))
                T.buffer_store(self.y, result, [channel, row, columns])

        convolve(store)

    def _make_channels(self, row: tirx.Expr, convolve: Callable[[Store], None]) -> None:
        outputs, columns = self.workload.outputs, self.workload.output_size[1]
        dtype = str(self.y.dtype)
        pooled = T.alloc_buffer((outputs, columns), dtype)

        def store(channel: tirx.Expr, columns: Index, values: tirx.Expr) -> None:
            T.buffer_store(pooled, converted(values, dtype), [channel, columns])

        convolve(store)
        with T.If(row >= self.first), T.Then():
            for start, width in pieces(outputs):
                store_across(
                    lambda i, at, start=start: pooled[start + i, at],
                    (width, columns),
                    self.y,
                    (row, start),
                )

    def _fill(self, row: tirx.Expr, probe: tirx.Buffer, *, is_top: bool) -> None:
        """The terms of a row of the pool; `probe` is NaN where a difference is no number."""
        lanes, columns = self.tile.lanes, self.workload.convolved_shape[2]
        whole = columns // lanes
        with T.serial(self.workload.inputs) as k:
            with T.serial(whole) as index:
                self._prefetch(k, row + 1, index * lanes)
                self._fill_vector(k, row, index * lanes, lanes, probe, is_top=is_top)
            for start, width in pieces(columns - whole * lanes):
                self._fill_vector(k, row, whole * lanes + start, width, probe, is_top=is_top)

    def _prefetch(self, k: tirx.Expr, row: tirx.Expr, column: tirx.Expr) -> None:
        """What a row of the pool sees under a vector of columns; behind the last row it is not
        read.
        """
        line = LINE_BYTES // FLOAT_BYTES
        lines = range(0, STRIDE * self.tile.lanes, line)
        for seen, start in itertools.product(range(SEEN_ROWS), lines):
            address = T.address_of(self.x[k, row * SEEN_ROWS + seen, column * STRIDE + start])
            prefetch(address, PREFETCH_TO_READ_FROM_L1)

    def _fill_vector(
        self,
        k: tirx.Expr,
        row: tirx.Expr,
        column: Index,
        width: int,
        probe: tirx.Buffer,
        *,
        is_top: bool,
    ) -> None:
        columns = span(column * STRIDE, STRIDE * width)
        at = span(self.tile.lanes + column, width)

        def phases(seen: int) -> list[tirx.Expr]:
            together = self.x[k, row * SEEN_ROWS + seen, columns]
            order = range(STRIDE * width)
            return [T.bind(tirx.Shuffle([together], list(order[p::STRIDE]))) for p in range(STRIDE)]

        nothing = tirx.Broadcast(tirx.const(0, FLOAT), width)
        rows = [[nothing] * STRIDE if is_top else phases(-1), *map(phases, range(SEEN_ROWS))]
        for phase, (r0, r1, r2, r3, r4) in enumerate(zip(*rows, strict=True)):
            differences = T.bind(r0 - r2), T.bind(r2 - r4)
            for term, value in enumerate((differences[0], r1, r2, r3, differences[1])):
                T.buffer_store(self.terms, value, [k, term, phase, at])
            for difference in differences:
                lanes = span(0, width)
                T.buffer_store(probe, probe[lanes] + difference * nothing, [lanes])

    def _each_tile(self, store: Store) -> None:
        """All outputs of a row."""
        channels, every = self.tile.channels, T.Ramp(0, 1, self.tile.lanes)
        with T.serial(self.workload.outputs // channels) as m_tile:
            for column, vectors, left in self._walk(channels, self.tile.vectors):
                acc = self._convolve(m_tile, column, vectors)
                for m in range(channels):
                    rows = []
                    for vector in range(vectors):
                        upper, shared, lower = (acc[i, m, vector, every] for i in range(SUMS))
                        rows.append((upper + shared, lower + shared))
                    self._pool(m_tile * channels + m, column, rows, (left, m), store)

    def _each_plane_directly(self, row: tirx.Expr, store: Store) -> None:
        """The same without differences, value by value: of a row whose differences are no numbers,
        as pixels are infinite, or very large and of different signs.
        """
        lanes, columns = self.tile.lanes, self.workload.convolved_shape[2]
        with T.serial(self.workload.outputs) as channel:
            plane = T.alloc_buffer((ROWS, -(-columns // lanes) * lanes), FLOAT)
            with T.grid(*plane.shape) as at:
                T.buffer_store(plane, self.bias[channel], list(at))
            with T.grid(ROWS, columns, self.workload.inputs, KERNEL) as (lower, column, k, j):
                for i in range(KERNEL):
                    seen = (row * ROWS + lower) * STRIDE + i - 1, column * STRIDE + j - 1
                    with T.If(tirx.all(seen[0] >= 0, seen[1] >= 0)), T.Then():
                        product = self.x[(k, *seen)] * self._weight(channel, k, i, j)
                        T.buffer_store(plane, plane[lower, column] + product, [lower, column])
            for column, vectors, left in self._walk(1, COLUMNS):
                places = [span(column + vector * lanes, lanes) for vector in range(vectors)]
                rows = [(plane[0, at], plane[1, at]) for at in places]
                self._pool(channel, column, rows, (left, 0), store)

    def _weight(self, channel: tirx.Expr, k: tirx.Expr, i: int, j: tirx.Expr) -> tirx.Expr:
        """What was packed, or what it is the negative of."""
        m_tile, m = channel // self.tile.channels, channel % self.tile.channels
        if i == KERNEL - 1:
            return -self.weights[m_tile, k, j, KINDS - 1, m]
        return self.weights[m_tile, k, j, i, m]

    def _walk(self, channels: int, vectors: int) -> Iterator[tuple[Index, int, tirx.Buffer]]:
        """The loop over tiles of `vectors` of columns, and the last one, which is narrower or has
        columns to spare: its first column, its vectors, and what is left of the tile before.
        """
        lanes, columns = self.tile.lanes, self.workload.convolved_shape[2]
        whole = columns // (lanes * vectors)
        rest = -(-columns // lanes) - whole * vectors
        left = T.alloc_buffer((channels, lanes), FLOAT)
        with T.unroll(channels) as m, T.vectorized(lanes) as lane:
            T.buffer_store(left, tirx.const(0, FLOAT), [m, lane])
        if whole:
            with T.serial(whole) as index:
                yield index * vectors * lanes, vectors, left
        if rest:
            yield whole * vectors * lanes, rest, left

    def _convolve(self, m_tile: tirx.Expr, column: Index, vectors: int) -> tirx.Buffer:
        """The three sums of each channel and vector."""
        channels, lanes = self.tile.channels, self.tile.lanes
        acc = T.alloc_buffer((SUMS, channels, vectors, lanes), FLOAT, scope="local")
        values = list(itertools.product(range(channels), range(vectors)))
        for part, (m, vector) in itertools.product(range(SUMS), values):
            bias = self.bias[m_tile * channels + m]
            with T.vectorized(lanes) as lane:
                start = bias if part == 1 else tirx.const(0, FLOAT)
                T.buffer_store(acc, start, [part, m, vector, lane])
        with T.serial(self.workload.inputs) as k:
            for j, (term, (part, kind)) in itertools.product(range(KERNEL), enumerate(TERMS)):
                # Under tap j of column c lies 2 c + j - 1: odd columns for the first and last tap.
                phase, before = (j + 1) % STRIDE, 1 if j == 0 else 0
                for m, vector in values:
                    first = lanes + column + vector * lanes - before
                    with T.vectorized(lanes) as lane:
                        value = self.terms[k, term, phase, first + lane]
                        product = value * self.weights[m_tile, k, j, kind, m]
                        at = [part, m, vector, lane]
                        T.buffer_store(acc, acc[tuple(at)] + product, at)
        return acc

    def _pool(
        self,
        channel: tirx.Expr,
        column: Index,
        rows: Sequence[tuple[tirx.Expr, tirx.Expr]],
        left: tuple[tirx.Buffer, int],
        store: Store,
    ) -> None:
        """Stores what the pool makes of the two `rows` of each vector from `column` on.

        `left` holds the last odd column of the tile before, in the place that is given with it.
        """
        lanes, (odds, place) = self.tile.lanes, left
        every = T.Ramp(0, 1, lanes)
        lines = [self._line(channel, column + v * lanes, pair) for v, pair in enumerate(rows)]
        before, end = odds[place, every], lanes
        for number in range(0, len(lines), COLUMNS):
            pair = lines[number : number + COLUMNS]
            width = len(pair) * lanes // COLUMNS
            order = range(COLUMNS * width)
            even, odd = (T.bind(tirx.Shuffle(pair, list(order[p::COLUMNS]))) for p in (0, 1))
            shifted = tirx.Shuffle([before, odd], [end - 1, *range(end, end + width - 1)])
            (value,) = values_of_columns([(even, odd)], shifted)
            first = column // COLUMNS + number * lanes // COLUMNS
            self._store(store, channel, first, width, T.bind(value))
            before, end = odd, width
        if end == lanes:
            T.buffer_store(odds, before, [place, every])

    def _line(
        self, channel: tirx.Expr, column: Index, rows: tuple[tirx.Expr, tirx.Expr]
    ) -> tirx.Expr:
        """The largest of three rows of the convolution, of which the lowest is the next `last`."""
        upper, lower = (result_of(row) for row in rows)
        at = [channel, span(column, self.tile.lanes)]
        line = largest_of_rows((upper, lower), self.last[tuple(at)])
        T.buffer_store(self.last, lower, at)
        return line

    def _store(
        self, store: Store, channel: tirx.Expr, column: Index, width: int, value: tirx.Expr
    ) -> None:
        """Those of `width` values from `column` on that the row has."""
        inside = width
        if isinstance(column, int):
            inside = min(width, self.workload.output_size[1] - column)
        for start, count in pieces(inside):
            part = list(range(start, start + count))
            values = value if count == width else tirx.Shuffle([value], part)
            store(channel, span(column + start, count), values)


def _is_zero(sums: tirx.Buffer) -> tirx.Expr:
    """Whether all lanes of `sums` are, each of which is 0 or NaN."""
    lanes = int(sums.shape[0])
    value, distance = T.bind(sums[T.Ramp(0, 1, lanes)]), 1
    while distance < lanes:
        other = tirx.Shuffle([value], [lane ^ distance for lane in range(lanes)])
        value, distance = T.bind(value + other), 2 * distance
    return tirx.Shuffle([value], [0]) == tirx.const(0, FLOAT)
