"""A 3x3 pool of stride 2 over even planes, row by row in registers.

    for c: for y:
      for x in vectors:
        even, odd = X[c, 2y - 1, 2x..] + X[c, 2y, 2x..] + X[c, 2y + 1, 2x..]   # or their maxima
        Y[c, y, x..] = odd one to the left + even + odd

Nothing is written in between, as `pool` does for any size: loads from a line that was just stored
wait for it. Borders are met only at the top and at the left, and the last values of a row are
shorter vectors, or with float16 one that begins earlier. Values are combined in the same order as
in `pool`, to the last bit.

The average pools of 1x g3, thousands of modelled cycles on A72 / N1 (2026-11-25): 24x56x56 69 / 38
against 92 / 53 by `pool`, 240x28x28 153 / 93 against 311 / 310, 480x14x14 72 / 52 against 131 /
162. A line in the order of the picture, sorted as it is read, took 84 / 49, 221 / 244, 150 / 116.
On x86-64 (one thread of an EPYC, Zen 5, 2026-11-26), microseconds with AVX-512 / AVX2: max pool
24x112x112 14.3 / 21.4 against 20.6 / 26.2, average pools 24x56x56 2.4 / 3.8 against 6.5 / 7.6,
240x28x28 8.5 / 11.5 against 28.8 / 31.5.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.pool_across import pool_across
from compile.schedules.pool_values import combined, neutral, share_of_a_tap
from compile.schedules.short_rows import load_row, store_row
from compile.schedules.spans import Index, span
from compile.schedules.threads import Bounds
from compile.schedules.window_workload import WindowWorkload


def can_pool_rows(workload: WindowWorkload) -> bool:
    """Whether a pool halves whole rows of planes, and meets borders at two sides only."""
    even = all(extent % 2 == 0 for extent in workload.size)
    halves = (workload.kernel, workload.stride, workload.padding) == ((3, 3), 2, (1, 1))
    return even and halves and workload.kind in ("max", "average")


def pool_rows(
    workload: WindowWorkload,
    lanes: int,
    maxnum: bool,
    share: Bounds,
    x: tirx.Buffer,
    y: tirx.Buffer,
) -> None:
    """The loops over the channels and a thread's `share` of the rows of planes X.

    Y is planes, too, or has channels in the lanes.
    """
    if not workload.writes_channels:
        with T.serial(workload.channels) as channel, T.serial(*share) as row:
            at = [workload.first_channel + channel, row]
            _Row(workload, lanes, maxnum, x, channel, row, y, at).pool()
        return

    def pool_row(channel: tirx.Expr, row: tirx.Expr, pooled: tirx.Buffer, at: list[Index]) -> None:
        _Row(workload, lanes, maxnum, x, channel, row, pooled, at).pool()

    pool_across(workload, lanes, share, y, pool_row)


@dataclass(frozen=True)
class _Row:
    """A row of a channel, of which the values go to `y` from `at` on."""

    workload: WindowWorkload
    lanes: int
    maxnum: bool
    x: tirx.Buffer
    channel: tirx.Expr
    row: tirx.Expr
    y: tirx.Buffer
    at: list[Index]

    @property
    def columns(self) -> int:
        """Of the row."""
        return self.workload.output_size[1]

    @property
    def is_short(self) -> bool:
        """Whether it is shorter than one vector."""
        return self.columns < self.lanes

    def pool(self) -> None:
        """Makes the row; above the first one there is none of X."""
        with T.If(self.row > 0):
            with T.Then():
                self._pool_taps(range(-1, 2))
            with T.Else():
                self._pool_taps(range(2))

    def _pool_taps(self, taps: range) -> None:
        """Makes the row of those rows of X that `taps` are, from the one at 2y on."""
        columns, lanes = self.columns, self.lanes
        left = T.alloc_buffer((lanes,), self.workload.dtype)
        every = span(0, lanes)
        T.buffer_store(left, tirx.Broadcast(neutral(self.workload), lanes), [every])
        if self.is_short:
            self._pool_vector(0, lanes, taps, left[every])
            return
        with T.serial(columns // lanes) as index:
            odd = self._pool_vector(index * lanes, lanes, taps, left[every])
            T.buffer_store(left, odd, [every])
        before, column, width = left[every], columns // lanes * lanes, lanes // 2
        rest = columns - column
        if rest and self.workload.dtype == "float16":  # one more vector, which begins earlier
            self._pool_vector(columns - lanes, lanes, taps, before, last=rest - 1)
            return
        while width:
            if columns & width:
                before = self._pool_vector(column, width, taps, before)
                column += width
            width //= 2

    def _pool_vector(
        self,
        column: tirx.Expr,
        width: int,
        taps: range,
        before: tirx.Expr,
        last: int | None = None,
    ) -> tirx.Expr:
        """Stores `width` values of the row; returns its odd columns.

        Lane `last` of `before`, by default its last one, is the odd column to the left.
        """
        both = T.bind(self._folded([self._load(tap, column, width) for tap in taps]))
        even, odd = (tirx.Shuffle([both], list(range(e, 2 * width, 2))) for e in range(2))
        end = _width(before)
        last = end - 1 if last is None else last
        left = tirx.Shuffle([before, odd], [last, *range(end, end + width - 1)])
        self._store(self._folded([left, even, odd]), column, width)
        return odd

    def _folded(self, values: list[tirx.Expr]) -> tirx.Expr:
        first, *others = values
        for value in others:
            first = combined(self.workload, first, value, maxnum=self.maxnum)
        return first

    def _load(self, tap: int, column: tirx.Expr, width: int) -> tirx.Expr:
        at = [self.channel, self.row * 2 + tap]
        if self.is_short:  # below the last of them there may be none
            return load_row(self.x, at, self.workload.size[1], 2 * width, early=tap == 1)
        return self.x[(*at, span(column * 2, 2 * width))]

    def _store(self, value: tirx.Expr, column: tirx.Expr, width: int) -> None:
        if self.workload.kind == "average":
            share = share_of_a_tap(self.workload, self.row, column)
            value = value * (tirx.Broadcast(share, width) if width > 1 else share)
        if self.is_short:
            store_row(self.y, self.at, value, self.columns, width)
        else:
            T.buffer_store(self.y, value, [*self.at, span(column, width)])


def _width(value: tirx.Expr) -> int:
    return int(value.ty.dtype.lanes)
