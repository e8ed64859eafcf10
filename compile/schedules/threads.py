"""How threads share a loop: each walks a part of it that lies together.

All kernels that can give a thread the same part of the picture: what one wrote, it reads again,
out of its own cache. docs/results.md has what two threads gain.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tvm import tirx
from tvm.script.ir_builder import tirx as T

MOST_UNEVEN = 1.15  # longest share of the rows or pixels, against that of the best loop
Bounds = tuple[int | tirx.Expr, int | tirx.Expr]


def unevenness(count: int, threads: int) -> float:
    """The longest of the shares of `count`, against equal ones: 1 where all are equal."""
    return -(-count // threads) * threads / count


@contextmanager
def share_of(count: int, threads: int) -> Iterator[Bounds]:
    """First and end of a thread's share of `count`, inside the loop over all threads.

    Within a loop over them every other one has to begin at 0: TVM 0.27's CanonicalizeLoop moves a
    loop to 0 without telling the bounds of the loops inside that it moves as well.
    """
    if threads == 1:
        yield 0, count
    else:
        with T.parallel(threads) as thread:
            yield thread * count // threads, (thread + 1) * count // threads
