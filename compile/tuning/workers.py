"""Warm worker processes, forked from one that has the compiler loaded already."""

from __future__ import annotations

import importlib
import multiprocessing
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from model.errors import InputError

T = TypeVar("T")


class WorkerError(InputError):
    """A worker that did not live to do its work."""


class WorkerPool:
    """`workers` processes that have `module` imported; they leave Ctrl-C to this one.

    Python keeps one fork server a process, with what the first pool asked it to load. A worker of
    a later pool imports its own `module` as it begins.
    """

    def __init__(self, workers: int, module: str) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([module])
        self._pool = ProcessPoolExecutor(workers, context, _begin, (module,))

    def start(self, function: Callable[..., T], *arguments: object) -> Future[T]:
        """Begins `function(*arguments)`, behind what was begun before; raises `WorkerError`."""
        try:
            return self._pool.submit(function, *arguments)
        except BrokenProcessPool as error:
            raise _dead() from error

    def close(self) -> None:
        """Ends the processes after what they do now; what was begun but does not run is lost."""
        self._pool.shutdown(cancel_futures=True)


def result_of(future: Future[T]) -> T:
    """Waits for what a `WorkerPool` began; raises `WorkerError` where the worker died."""
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise _dead() from error


def _dead() -> WorkerError:
    return WorkerError(
        "a worker process was ended from outside, as when memory is short; what is in the log "
        "stays: go on with --resume, with fewer --workers"
    )


def _begin(module: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    importlib.import_module(module)
