"""The values of a block on a core that holds few multiplications at a time: Zen 5's, as measured.

Two begin a cycle, the oldest first of those whose values are there. `MULTIPLIES_WAITING` wait for
theirs; the next one, with all behind it, is not dispatched before one of those begins. With 70 the
flow takes as long as silicon where chains begin anew (the table in `wide_windows`).

    54 FMAs of one chain, begun anew by a load: 65 cycles measured where its values take
    54 * 4 + 8, so 3.4 of them are under way at a time
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from deploy_rpc.memory_waits import STEPS, Flow, Timing
from deploy_rpc.operands import Operation

MULTIPLY_PIPES = 2
MULTIPLIES_WAITING = 70
LONGEST = 12_000  # instructions to follow of a loop that is entered anew
ENTRIES = 4  # to follow at least, an even number


@dataclass(frozen=True)
class Rounds:
    """Whether a block's end jumps to its beginning, and how often it runs before others do.

    Entered anew it has values that are there; with 0 `trips` it goes on with its own for ever.
    """

    loops: bool
    trips: int


class MultiplyFlow(Flow):
    """Of `operations` that are `multiplies` or not."""

    def __init__(
        self,
        operations: Sequence[Operation],
        multiplies: Sequence[bool],
        timing: Timing,
        reorder_buffer: int,
        rounds: Rounds,
    ) -> None:
        super().__init__(operations, timing, reorder_buffer, rounds.loops, blocks=False)
        is_short = rounds.trips * len(operations) * ENTRIES <= LONGEST
        self._trips = rounds.trips if is_short else 0
        self._begun_rounds = 0
        self._multiplies = itertools.cycle(multiplies)
        self._multiply = False
        self._waiting: list[float] = []  # when each begins
        self._begun: Counter[int] = Counter()  # in each cycle

    def _rounds(self) -> int:
        if not self._trips:
            return super()._rounds()
        of_entries = STEPS // (self._trips * len(self._operations)) // 2 * 2
        return self._trips * max(ENTRIES, of_entries)

    def _round(self) -> float:
        if self._trips and self._begun_rounds % self._trips == 0:
            self._ready.clear()
        self._begun_rounds += 1
        return super()._round()

    def _step(self, operation: Operation, latency: int) -> None:
        self._multiply = next(self._multiplies)
        super()._step(operation, latency)

    def _dispatch(self) -> float:
        now = super()._dispatch()
        if self._multiply:
            while self._waiting and self._waiting[0] <= now:
                heapq.heappop(self._waiting)
            if len(self._waiting) >= MULTIPLIES_WAITING:
                self._dispatched = now = heapq.heappop(self._waiting)
        return now

    def _begin(self, values: float) -> float:
        if not self._multiply:
            return values
        cycle = math.ceil(values)
        while self._begun[cycle] >= MULTIPLY_PIPES:
            cycle += 1
        self._begun[cycle] += 1
        heapq.heappush(self._waiting, cycle)
        return cycle
