"""What a process holds: the numbers that must not grow."""

from __future__ import annotations

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


def usage_of(pid: int | None = None) -> Usage:
    """Of the process `pid`, or of this one."""
    process = psutil.Process(pid)
    return Usage(process.memory_info().rss, process.num_threads(), process.num_fds())
