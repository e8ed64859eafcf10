"""The tiles of an average pool with channels in the lanes.

    for x in the columns of taps of the tile:
      column = X[first, x, c..] + X[first + 1, x, c..] + ...
      sum[p] = sum[p] + column                         # of each pixel that x is a tap of
      Y[y, p, c..] = sum[p] * share                    # where x was its last one

A column is summed once, whatever number of pixels it belongs to, and only the sums of these are
alive. It is straight code where all rows of taps lie in the picture, and they are few; else vectors
share code with a loop over these rows: a network runs it once, and fetching it takes longer than
running it. Values are added in the same order as over planes, to the last bit.

Microseconds on one thread of an EPYC (Zen 5, shared, 2026-11-27), against three additions for each
column of each pixel, in a loop over rows; medians of six turns in 1x g3 with AVX-512, where code
and pictures come from farther away / repeated there / of AVX2 code alone:

    56x56x24    3.3 / 2.4 / 2.3    (3.9 / 2.9 / 3.9)
    28x28x240   7.8 / 6.6 / 8.7    (9.2 / 7.9 / 14.5)
    14x14x480   3.2 / 2.9 / 3.6    (4.1 / 4.5 / 5.5)

Where L1 does not keep three rows of all channels, they are walked once for each tile of channels
since then: 28x28x240 takes 5.4 to 5.8 us in the network instead of 7.4, 14x14x480 2.8 instead of
3.5. 80x80x240, which L2 does not have, takes 100 instead of 90 that way.

By 5 vectors, with the code for fewer rows written out, too, nothing was gained in the network.
Pixel by pixel, in a loop that keeps the column which the next one shares, 28x28x240 took 8.4 to 10.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.maximum import rectified
from compile.schedules.pool_values import neutral, share_of_a_tap
from compile.schedules.spans import Index, span
from compile.schedules.window_channels_places import Place, columns_inside
from compile.schedules.window_channels_tiles import WindowChannelsTile
from compile.schedules.window_workload import WindowWorkload

# Of taps: a 56x56 pool of 480 channels, all written out, is compiled in 3 s, in a loop in 0.4.
MOST_ROWS_WRITTEN_OUT = 8


@dataclass(frozen=True)
class AverageOfTile:
    """The tile at `place` of Y, from X (H, W, channels)."""

    workload: WindowWorkload
    tile: WindowChannelsTile
    place: Place
    x: tirx.Buffer
    y: tirx.Buffer

    def make(self) -> None:
        """Writes the code, within the loops over places."""
        top = self.place.row * self.workload.stride - self.workload.padding[0]
        first = tirx.max(0, top)
        taps = tirx.min(top + self.workload.kernel[0], self.workload.size[0]) - first
        most = min(self.workload.kernel[0], self.workload.size[0])
        if most > MOST_ROWS_WRITTEN_OUT:
            self._sum_by_vector(first, taps)
            return
        if self._has_all_rows:
            self._sum(first, most, range(self.tile.vectors))
            return
        with T.If(taps == most):
            with T.Then():
                self._sum(first, most, range(self.tile.vectors))
            with T.Else():
                self._sum_by_vector(first, taps)

    @property
    def _has_all_rows(self) -> bool:
        """Whether no window reaches beyond the first or the last row of X."""
        rows = self.workload.output_size[0]
        end = (rows - 1) * self.workload.stride + self.workload.kernel[0]
        top = self.workload.padding[0]
        return top == 0 and end <= self.workload.size[0]

    def _sum_by_vector(self, first: Index, taps: tirx.Expr) -> None:
        """The same code for every vector and every number of rows."""
        with T.serial(self.tile.vectors) as vector:
            self._sum(first, taps, [vector])

    def _sum(self, first: Index, taps: Index, vectors: Sequence[Index]) -> None:
        """All pixels of these vectors, from the `taps` rows of X from `first` on."""
        columns = columns_inside(self.workload, self.tile, self.place)
        last = {pixel: column for column, pixels in columns.items() for pixel in pixels}
        start = self._every_lane(neutral(self.workload))
        sums: dict[tuple[int, int], tirx.Expr] = {}
        for column, pixels in columns.items():
            for index, vector in enumerate(vectors):
                column_sum = self._sum_column(column, vector, first, taps)
                for pixel in pixels:
                    before = sums.pop((pixel, index), start)
                    total = T.bind(before + column_sum)
                    if column == last[pixel]:
                        self._store(pixel, vector, total)
                    else:
                        sums[pixel, index] = total

    def _sum_column(self, column: int, vector: Index, first: Index, taps: Index) -> tirx.Expr:
        begin = self.place.column * self.workload.stride - self.workload.padding[1]
        lanes = span(self.place.channel + vector * self.tile.lanes, self.tile.lanes)

        def value(tap: Index) -> tirx.Expr:
            return self.x[first + tap, begin + column, lanes]

        if isinstance(taps, int):
            return T.bind(functools.reduce(operator.add, map(value, range(taps))))
        so_far = T.alloc_buffer((self.tile.lanes,), self.workload.dtype, scope="local")
        every = span(0, self.tile.lanes)
        T.buffer_store(so_far, value(0), [every])
        with T.serial(taps - 1) as tap:
            T.buffer_store(so_far, so_far[every] + value(1 + tap), [every])
        return T.bind(so_far[every])

    def _store(self, pixel: int, vector: Index, total: tirx.Expr) -> None:
        row, column = self.place.row, self.place.column + pixel
        value = total * self._every_lane(share_of_a_tap(self.workload, row, column))
        if self.workload.relu:
            value = rectified(value, maxnum=self.tile.maxnum)
        channel = self.workload.first_channel + self.place.channel + vector * self.tile.lanes
        T.buffer_store(self.y, value, [row, column, span(channel, self.tile.lanes)])

    def _every_lane(self, value: tirx.Expr) -> tirx.Expr:
        return tirx.Broadcast(value, self.tile.lanes) if self.tile.lanes > 1 else value
