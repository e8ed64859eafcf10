"""One block of memory for everything between input and output: where each tensor lies, and when.

Two tensors may share bytes where no step needs both. Placed largest first, or longest-lived first,
each as low as it fits; the better of the orders counts. The lower bound is what is live in the
fullest step: no plan can be smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

ALIGNMENT = 64  # bytes: a cache line, and the widest vector


@dataclass(frozen=True)
class Lifetime:
    """Bytes that are needed from step `first` to step `last`, both included."""

    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Workspace:
    """The offset of each lifetime, in the order they were given, and the bytes of the block.

    `lower_bound` is None for a plan that was made elsewhere.
    """

    offsets: tuple[int, ...]
    bytes: int
    lower_bound: int | None


ORDERS: tuple[Callable[[Lifetime], tuple[int, ...]], ...] = (
    lambda each: (-each.bytes, each.first),
    lambda each: (each.first - each.last, -each.bytes),
    lambda each: (each.first, -each.bytes),
    lambda each: (each.bytes * (each.first - each.last - 1), each.first),
)


def plan_workspace(lifetimes: Sequence[Lifetime]) -> Workspace:
    """Places every lifetime, aligned to `ALIGNMENT`."""
    placed = [Lifetime(aligned(each.bytes), each.first, each.last) for each in lifetimes]
    plans = [_place(placed, order) for order in ORDERS]
    offsets = min(plans, key=lambda plan: _end(placed, plan))
    steps = {each.first for each in placed}
    live = [sum(e.bytes for e in placed if e.first <= step <= e.last) for step in steps]
    return Workspace(tuple(offsets), _end(placed, offsets), max(live, default=0))


def aligned(size: int) -> int:
    """`size` bytes, up to whole lines."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def _place(
    lifetimes: Sequence[Lifetime], order: Callable[[Lifetime], tuple[int, ...]]
) -> list[int]:
    offsets: dict[int, int] = {}
    for index in sorted(range(len(lifetimes)), key=lambda i: order(lifetimes[i])):
        mine = lifetimes[index]
        taken = sorted(
            (offset, offset + other.bytes)
            for at, offset in offsets.items()
            if (other := lifetimes[at]).first <= mine.last and mine.first <= other.last
        )
        offsets[index] = _lowest_gap(taken, mine.bytes)
    return [offsets[index] for index in range(len(lifetimes))]


def _lowest_gap(taken: Sequence[tuple[int, int]], size: int) -> int:
    """The lowest offset at which `size` bytes touch none of the ranges, sorted by their start."""
    offset = 0
    for start, end in taken:
        if offset + size <= start:
            break
        offset = max(offset, end)
    return offset


def _end(lifetimes: Sequence[Lifetime], offsets: Sequence[int]) -> int:
    ends = (offset + each.bytes for offset, each in zip(offsets, lifetimes, strict=True))
    return max(ends, default=0)
