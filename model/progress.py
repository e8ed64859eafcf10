"""How far long work is: a bar with the time left on a terminal, else a line from time to time."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track

LINE_EVERY_S = 30  # where no terminal shows a bar

T = TypeVar("T")


def with_progress(items: Iterable[T], noun: str, total: int, done: int = 0) -> Iterator[T]:
    """`items`, of `total` those after the first `done`, counted as `noun` on the error output."""
    if sys.stderr.isatty():
        console = Console(stderr=True)
        yield from track(items, description=noun, total=total, completed=done, console=console)
        return
    start = said = time.monotonic()
    for index, item in enumerate(items):
        now = time.monotonic()
        if index and now - said >= LINE_EVERY_S:
            left_s = (now - start) / index * (total - done - index)
            print(f"{done + index} of {total} {noun}, {left_s:.0f} s left", file=sys.stderr)
            said = now
        yield item
