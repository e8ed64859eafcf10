"""The sums of one tile of a fully connected layer, of weights of either width."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.dense_tiles import DenseTile, each_value, has_24_bits
from compile.schedules.dense_words import unit_of, vectors_of_words
from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.global_pool import means_lie_across
from compile.schedules.maximum import rectified
from compile.schedules.overlap import start_of
from compile.schedules.precision import converted
from compile.schedules.spans import Index, span


@dataclass(frozen=True)
class DenseOfTile:
    """The tile number `m_tile` of Y, from X (K,), W as packed and B (M,)."""

    workload: DenseWorkload
    tile: DenseTile
    m_tile: tirx.Expr
    x: tirx.Buffer
    weights: tirx.Buffer
    bias: tirx.Buffer
    y: tirx.Buffer

    def make(self) -> None:
        """Writes the code, within the loop over tiles."""
        tile = self.tile
        acc = T.alloc_buffer(
            (tile.sums, tile.vectors, tile.lanes), self.workload.dtype, scope="local"
        )
        for part in range(tile.sums):
            for vector, lane in each_value(tile):
                start = self._start(part, vector * tile.lanes + lane)
                T.buffer_store(acc, start, [part, vector, lane])
        self._accumulate(acc)
        self._finish(acc)

    def _start(self, part: int, output: tirx.Expr) -> tirx.Expr:
        """Of a sum: the first one starts with the bias, unless it is in units of the output."""
        if part == 0 and not has_24_bits(self.workload):
            return self.bias[self._first + output]
        return tirx.const(0, self.workload.dtype)

    @property
    def _first(self) -> tirx.Expr:
        """Output of Y."""
        return start_of(self.m_tile, self.tile.width, self.workload.outputs)

    def _accumulate(self, acc: tirx.Buffer) -> None:
        """What K leaves over when divided by `sums` goes to the first of them, at the end."""
        sums, x = self.tile.sums, self.x
        share = self.workload.inputs // sums
        if means_lie_across(self.workload, self.tile):
            with T.serial(share) as k:
                together = T.alloc_buffer((sums,), self.workload.dtype)
                every = T.Ramp(0, 1, sums)
                T.buffer_store(together, x[T.Ramp(k * sums, 1, sums)], [every])
                for part in range(sums):
                    self._add(acc, part, part * share + k, together[part])
            return
        with T.serial(share) as k, T.unroll(sums) as part:
            self._add(acc, part, part * share + k, x[part * share + k])
        for k in range(share * sums, self.workload.inputs):
            self._add(acc, 0, k, x[k])

    def _add(self, acc: tirx.Buffer, part: Index, k: Index, value: tirx.Expr) -> None:
        """The products of input `k`, which is `value`, to sum `part`."""
        if has_24_bits(self.workload):
            value = tirx.Broadcast(T.bind(value), self.tile.lanes)
            every = span(0, self.tile.lanes)
            rows = vectors_of_words(self.workload, self.tile, self.weights, self.m_tile, k)
            for vector, row in rows:
                T.buffer_store(acc, acc[part, vector, every] + value * row, [part, vector, every])
            return
        for vector, lane in each_value(self.tile):
            product = value * self.weights[self.m_tile, k, vector * self.tile.lanes + lane]
            T.buffer_store(acc, acc[part, vector, lane] + product, [part, vector, lane])

    def _finish(self, acc: tirx.Buffer) -> None:
        result = self.workload.result_dtype
        for vector, lane in each_value(self.tile):
            value, *others = (
                converted(acc[part, vector, lane], result) for part in range(self.tile.sums)
            )
            for other in others:
                value = value + other
            output = vector * self.tile.lanes + lane
            if has_24_bits(self.workload):
                unit = unit_of(self.workload, self.tile, self.weights, self.m_tile, output)
                value = self.bias[self._first + output] + value * unit
            value = rectified(value, maxnum=self.tile.maxnum) if self.workload.relu else value
            T.buffer_store(self.y, value, [self._first + output])
