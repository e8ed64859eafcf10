"""What a process holds: the numbers that must not grow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from model.errors import InputError


class SoakError(InputError):
    """Something grew, was lost, or was wrong."""


@dataclass(frozen=True)
class Usage:
    """Resident bytes, threads and open files."""

    memory: int
    threads: int
    files: int

    def __str__(self) -> str:
        return f"{self.memory:,} bytes, {self.threads} threads, {self.files} open files"


def usage_of(pids: Iterable[int]) -> Usage:
    """Of these processes together; raises `psutil.NoSuchProcess`."""
    processes = [psutil.Process(pid) for pid in pids]
    return Usage(
        sum(process.memory_info().rss for process in processes),
        sum(process.num_threads() for process in processes),
        sum(process.num_fds() for process in processes),
    )
