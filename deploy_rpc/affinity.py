"""Keeps a measurement on as many cores of this machine as it has threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from deploy_rpc.board_spec import BoardError


@contextmanager
def pinned_to_cores(count: int) -> Iterator[tuple[int, ...]]:
    """Keeps this thread, and all that it starts, on `count` cores, whose numbers it yields.

    They are the last ones this thread may use: interrupts gather on the first. Raises `BoardError`
    where there are fewer.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < count:
        raise BoardError(
            f"local: {count} threads need as many cores, this process may use {len(allowed)} "
            f"({', '.join(map(str, allowed))}); ask for fewer threads"
        )
    chosen = tuple(allowed[-count:])
    os.sched_setaffinity(0, chosen)
    try:
        yield chosen
    finally:
        os.sched_setaffinity(0, allowed)
