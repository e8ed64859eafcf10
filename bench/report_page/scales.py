"""Logarithmic axes: from a value to its place in percent, and where gridlines stand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

MANTISSAS = ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5, 7), (1, 2, 5), (1,))  # the finest first
MAX_TICKS = 7
LEAST_GAP = 0.13  # between two of them, of the axis: on a phone the room of `5,000`
ROOM = 1.25  # the factor between the outermost value and the end of its axis


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high`, laid over `start` to `end` percent of the figure."""

    label: str
    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        """Percent of the figure at which `value` stands."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 3)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """The place and the text of each gridline."""
        return [(self.place(tick), f"{tick:,.10g}") for tick in log_ticks(self.low, self.high)]


def axis_around(label: str, values: Sequence[float], start: float, end: float) -> Axis:
    """An axis with room around all of `values`, which are above nought."""
    return Axis(label, min(values) / ROOM, max(values) * ROOM, start, end)


def log_ticks(low: float, high: float) -> list[float]:
    """Round values between `low` and `high`: the finest steps that are not too many."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for mantissas in MANTISSAS:
        values = [float(f"{m}e{exponent}") for exponent in exponents for m in mantissas]
        ticks = [value for value in values if low <= value <= high]
        if len(ticks) <= MAX_TICKS and _are_apart(ticks, low, high):
            break
    return ticks


def _are_apart(ticks: Sequence[float], low: float, high: float) -> bool:
    gaps = (math.log(right / left) for left, right in itertools.pairwise(ticks))
    return min(gaps, default=math.inf) >= LEAST_GAP * math.log(high / low)
