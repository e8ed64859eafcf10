"""The half vector of channels that is left of the stem with its pool: two columns share the lanes.

24 channels are a vector of 16 and a half. Where the lanes of two columns alternate, a load of two
neighbours of the picture brings an input for each, without a shuffle. Of the 6 products of a row
of taps 4 are of neighbours, and the last 2 are of one input, but of columns of different pairs:

    own[c, c + 1]      += [x(c, 1), x(c + 1, 0)] * [w1, w0]      # neighbours: taps 1, 2 of c
    own[c, c + 1]      += [x(c, 2), x(c + 1, 1)] * [w2, w1]
    between[c + 1, c + 2] += [x(c + 1, 2), x(c + 2, 0)] * [w2, w0]    # the same input

Behind the last tap `own` gets what `between` holds of its columns; the part for the first column of
a tile comes from the tile to its left.

A shuffle that puts the inputs of both columns together takes the place of a multiply-add: the stem
of 1x g3 took 4 % longer (one thread of an EPYC, Zen 5, shared, 2026-11-27).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.stem_pool_maxima import largest_of_rows, result_of, values_of_columns
from compile.schedules.stem_pool_workload import COLUMNS, FLOAT, KERNEL, ROWS

# Which tap the weights of a step are of, by step: of the even column, and of the odd one behind it.
# The first step is that of `between`, whose even column lies behind its odd one.
EVEN_TAPS, ODD_TAPS = (0, 1, 2), (2, 0, 1)


def pack_halves(weights: np.ndarray) -> np.ndarray:
    """OIHW of half a vector to a whole one: even and odd columns in turns; J are the steps."""
    both = np.stack([weights[..., EVEN_TAPS], weights[..., ODD_TAPS]], axis=1)
    return both.reshape(-1, *weights.shape[1:])


@dataclass(frozen=True)
class HalfSums:
    """Sums of rows, values of the pool, lanes: the columns of a value, and those between values."""

    own: tirx.Buffer
    between: tirx.Buffer


@dataclass(frozen=True)
class Halves:
    """Of vectors of `lanes` the halves behind channel `first`.

    `last` are those of the row above, `left` is what the value of the pool to the left made of its
    odd column, and `before` the sums of each row between it and the next value.
    """

    lanes: int
    first: int
    last: tirx.Buffer
    left: tirx.Buffer
    before: tirx.Buffer

    @staticmethod
    def of_rows(lanes: int, first: int, columns: int) -> Halves:
        """Those of rows of `columns` values of the pool, with what is kept of the last ones."""
        last = T.alloc_buffer((columns, lanes), FLOAT)
        left = T.alloc_buffer((lanes // COLUMNS,), FLOAT)
        before = T.alloc_buffer((ROWS, lanes), FLOAT)
        return Halves(lanes, first, last, left, before)

    def start(self, rows: int, values: int, bias: tirx.Buffer) -> HalfSums:
        """Sums that begin with the biases."""
        shape = (rows, values, self.lanes)
        sums = HalfSums(*(T.alloc_buffer(shape, FLOAT, scope="local") for _ in range(2)))
        half = bias[T.Ramp(self.first, 1, self._half)]
        in_turns = [lane // COLUMNS + lane % COLUMNS * self._half for lane in range(self.lanes)]
        own = tirx.Shuffle([half] * COLUMNS, in_turns)
        with T.grid(rows, values) as (row, value):
            T.buffer_store(sums.own, own, [row, value, self._every])
            T.buffer_store(sums.between, self._blank, [row, value, self._every])
        return sums

    def add(
        self,
        sums: HalfSums,
        row: int,
        step: int,
        inputs: Callable[[int, int, int], tirx.Expr],
        taps: tirx.Expr,
    ) -> None:
        """The products of a `step` of a row of taps; `inputs` are those under a tap of a column and
        behind it, so many of them.
        """
        for value in range(int(sums.own.shape[1])):
            even, odd = value * COLUMNS, value * COLUMNS + 1
            if step == 0:
                acc, both = sums.between, tirx.Broadcast(inputs(odd, KERNEL - 1, 1), self.lanes)
            else:
                acc, neighbours = sums.own, [inputs(even, step, COLUMNS)] * self._half
                both = tirx.Shuffle(neighbours, list(range(self.lanes)))
            at = [row, value, self._every]
            T.buffer_store(acc, acc[tuple(at)] + both * taps, at)

    def keep(self, sums: HalfSums, row: int, column: tirx.Expr, *, is_left: bool) -> None:
        """What `row` made is the last row for values from `column` on."""
        for value, result in enumerate(self._results(sums, row, is_left=is_left)):
            T.buffer_store(self.last, result, [column + value, self._every])

    def pool(self, sums: HalfSums, column: tirx.Expr, *, is_left: bool) -> list[tirx.Expr]:
        """The values of the pool from `column` on, half a vector each."""
        every_left = T.Ramp(0, 1, self._half)
        left = None if is_left else T.bind(self.left[every_left])
        results = [self._results(sums, row, is_left=is_left) for row in range(ROWS)]
        columns = []
        for value, own in enumerate(zip(*results, strict=True)):
            both = largest_of_rows(own, self.last[column + value, self._every])
            T.buffer_store(self.last, own[-1], [column + value, self._every])
            columns.append(tuple(T.bind(self._part(both, which)) for which in range(COLUMNS)))
        T.buffer_store(self.left, columns[-1][-1], [every_left])
        return values_of_columns(columns, left)

    def _results(self, sums: HalfSums, row: int, *, is_left: bool) -> Sequence[tirx.Expr]:
        """Of each value of the pool what the convolution makes of its columns."""
        before = self._blank if is_left else T.bind(self.before[row, self._every])
        # Even columns are behind the sums between values, odd ones before the next.
        order = [lane if lane % COLUMNS == 0 else self.lanes + lane for lane in range(self.lanes)]
        results = []
        for value in range(int(sums.own.shape[1])):
            between = T.bind(sums.between[row, value, self._every])
            own = sums.own[row, value, self._every]
            results.append(result_of(own + tirx.Shuffle([before, between], order)))
            before = between
        T.buffer_store(self.before, before, [row, self._every])
        return results

    @property
    def _every(self) -> tirx.Expr:
        return T.Ramp(0, 1, self.lanes)

    @property
    def _blank(self) -> tirx.Expr:
        return tirx.Broadcast(tirx.const(0, FLOAT), self.lanes)

    @property
    def _half(self) -> int:
        """Lanes of one column."""
        return self.lanes // COLUMNS

    def _part(self, vector: tirx.Expr, which: int) -> tirx.Expr:
        return tirx.Shuffle([vector], list(range(which, self.lanes, COLUMNS)))
