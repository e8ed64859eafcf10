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
    """Resident bytes, threads and open files.

    Of memory what is a process's own: pages of files that it maps come and go with the system's
    cache, by hundreds of megabytes where PyTorch is loaded.
    """

    memory: int
    threads: int
    files: int

    def __str__(self) -> str:
        return f"{self.memory:,} bytes, {self.threads} threads, {self.files} open files"


def usage_of(pids: Iterable[int]) -> Usage:
    """Of these processes together; raises `psutil.NoSuchProcess`."""
    processes = [psutil.Process(pid) for pid in pids]
    memory = [process.memory_info() for process in processes]
    return Usage(
        sum(each.rss - each.shared for each in memory),
        sum(process.num_threads() for process in processes),
        sum(process.num_fds() for process in processes),
    )
