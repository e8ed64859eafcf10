"""Warm worker processes, forked from one that has the compiler loaded already."""

from __future__ import annotations

import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor


def worker_pool(workers: int, module: str) -> ProcessPoolExecutor:
    """`workers` processes that have `module` imported; they leave Ctrl-C to this one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    return ProcessPoolExecutor(workers, context, _leave_interrupts)


def _leave_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
