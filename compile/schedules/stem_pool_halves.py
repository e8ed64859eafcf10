"""The half vector of channels that is left of the stem with its pool, of two columns in one.

24 channels are a vector of 16 and a half. The halves of both columns of a value of the pool lie
side by side, so that all lanes work:

    acc[row] = [convolution's (2y + row, 2x), its (2y + row, 2x + 1)]
    acc[row] += [x(2x) * 8, x(2x + 1) * 8] * [w, w]

The inputs are broadcast for whole vectors in any case; here a half of one goes into another, which
takes 74 to 78 us of 1x g3 where a blend of them takes 78 to 80.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.stem_pool_maxima import largest_of_rows, result_of, values_of_columns
from compile.schedules.stem_pool_workload import COLUMNS, FLOAT


@dataclass(frozen=True)
class Halves:
    """Of vectors of `lanes` the halves behind channel `first`; `last` are those of the row above,
    and `left` is what the value of the pool to the left made of its odd column."""

    lanes: int
    first: int
    last: tirx.Buffer
    left: tirx.Buffer

    @staticmethod
    def of_rows(lanes: int, first: int, columns: int) -> Halves:
        """Those of rows of `columns` values of the pool, with what is kept of the last ones."""
        last = T.alloc_buffer((columns, lanes), FLOAT)
        left = T.alloc_buffer((lanes // COLUMNS,), FLOAT)
        return Halves(lanes, first, last, left)

    def start(self, acc: tirx.Buffer, bias: tirx.Buffer) -> None:
        """Every accumulator of `acc` (rows, values of the pool, lanes) begins with the biases."""
        own = bias[T.Ramp(self.first, 1, self._half)]
        both = tirx.Shuffle([own] * COLUMNS, list(range(self.lanes)))
        rows, values, _ = (int(extent) for extent in acc.shape)
        with T.grid(rows, values) as (row, value):
            T.buffer_store(acc, both, [row, value, self._every])

    def add(self, acc: tirx.Buffer, row: int, inputs: Sequence[tirx.Expr], taps: tirx.Expr) -> None:
        """The products of a tap with the `inputs` of all columns."""
        half, lanes = self._half, self.lanes
        joined = [lane % half + lane // half * lanes for lane in range(lanes)]
        for value in range(len(inputs) // COLUMNS):
            own = inputs[value * COLUMNS : (value + 1) * COLUMNS]
            both = tirx.Shuffle([tirx.Broadcast(each, self.lanes) for each in own], joined)
            at = [row, value, self._every]
            T.buffer_store(acc, acc[tuple(at)] + both * taps, at)

    def keep(self, acc: tirx.Buffer, row: int, column: tirx.Expr) -> None:
        """What `row` made is the last row for values from `column` on."""
        for value in range(int(acc.shape[1])):
            result = self._result(acc, row, value)
            T.buffer_store(self.last, result, [column + value, self._every])

    def pool(self, acc: tirx.Buffer, column: tirx.Expr, *, is_left: bool) -> list[tirx.Expr]:
        """The values of the pool from `column` on, half a vector each."""
        rows, values, _ = (int(extent) for extent in acc.shape)
        every_left = T.Ramp(0, 1, self._half)
        left = None if is_left else T.bind(self.left[every_left])
        columns = []
        for value in range(values):
            results = [self._result(acc, row, value) for row in range(rows)]
            both = largest_of_rows(results, self.last[column + value, self._every])
            T.buffer_store(self.last, results[-1], [column + value, self._every])
            columns.append(tuple(T.bind(self._part(both, which)) for which in range(COLUMNS)))
        T.buffer_store(self.left, columns[-1][-1], [every_left])
        return values_of_columns(columns, left)

    @property
    def _every(self) -> tirx.Expr:
        return T.Ramp(0, 1, self.lanes)

    @property
    def _half(self) -> int:
        """Lanes of one column."""
        return self.lanes // COLUMNS

    def _part(self, vector: tirx.Expr, which: int) -> tirx.Expr:
        return tirx.Shuffle([vector], list(range(which * self._half, (which + 1) * self._half)))

    def _result(self, acc: tirx.Buffer, row: int, value: int) -> tirx.Expr:
        return result_of(acc[row, value, self._every])
