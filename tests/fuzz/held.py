"""What a fuzzer, the programs that it runs and their folder hold: it must not grow with inputs."""

from __future__ import annotations

import gc
import os
import tempfile
from dataclasses import dataclass

import psutil

from tests.soak.usage import Usage, usage_of

MOST_GROWTH_BYTES = 32 << 20  # Python's and Hypothesis' own heaps breathe by some megabytes


class GrowthError(Exception):
    """Something is not given back."""


@dataclass(frozen=True)
class Held:
    """Memory, threads and open files of this process and its children, and temporary files."""

    usage: Usage
    temporary: int

    def __str__(self) -> str:
        return f"{self.usage}, {self.temporary} temporary files"

    def check(self, before: Held) -> None:
        """Raises `GrowthError` where this is more than `before`: memory by more than its bound."""
        ours, theirs = self.usage, before.usage
        if (
            ours.memory > theirs.memory + MOST_GROWTH_BYTES
            or ours.threads > theirs.threads
            or ours.files > theirs.files
            or self.temporary > before.temporary
        ):
            raise GrowthError(f"expected no more than {before}, got {self}")


def held() -> Held:
    """Now, behind a collection of garbage."""
    gc.collect()
    pids = [os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))]
    temporary = sum(len(names) for _, _, names in os.walk(tempfile.gettempdir()))
    return Held(usage_of(pids), temporary)
