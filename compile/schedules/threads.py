"""How threads share a loop: each walks a part of it that lies together.

All kernels that can give a thread nearly the same part of the picture: what one wrote, it reads
again, out of its own cache. docs/results.md has what two threads gain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tvm.script.ir_builder import tirx as T

from compile.schedules.spans import Index

MOST_UNEVEN = 1.15  # longest share of the rows or pixels, against that of the best loop
Bounds = tuple[Index, Index]


def unevenness(count: int, threads: int, walks: int = 1) -> float:
    """The longest of the shares of a loop over `count`, against equal ones: 1 where all are equal.

    Of a loop that is walked several times it is the longest of the sums (`shares_of`).
    """
    full, rest = divmod(walks, threads)  # in `threads` walks each does `count`
    longest = max(
        sum(_begin(count, threads, t + 1, w) - _begin(count, threads, t, w) for w in range(rest))
        for t in range(threads)
    )
    return (full * count + longest) * threads / (walks * count)


@contextmanager
def share_of(count: int, threads: int) -> Iterator[Bounds]:
    """First and end of a thread's share of `count`, inside the loop over all threads.

    Within a loop over them every other one has to begin at 0: TVM 0.27's CanonicalizeLoop moves a
    loop to 0 without telling the bounds of the loops inside that it moves as well.
    """
    with shares_of(count, threads) as share_in:
        yield share_in(0)


@contextmanager
def shares_of(count: int, threads: int) -> Iterator[Callable[[Index], Bounds]]:
    """`share_of` a loop that is walked several times: from a walk's number to its share.

    Of 7 tiles two threads take 3 and 4 in one walk, 4 and 3 in the next, so that both do as much.
    """
    if threads == 1:
        yield lambda walk: (0, count)
    else:
        with T.parallel(threads) as thread:
            yield lambda walk: (
                _begin(count, threads, thread, walk),
                _begin(count, threads, thread + 1, walk),
            )


def _begin(count: int, threads: int, thread: Index, walk: Index) -> Index:
    """Where the share of `thread` begins in a walk."""
    return (thread * count + walk % threads) // threads
