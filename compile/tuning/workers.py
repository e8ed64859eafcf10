"""Warm worker processes, forked from one that has the compiler loaded already."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver, resource_tracker
from typing import TypeVar

from model.errors import InputError

T = TypeVar("T")
LONGEST_FOLDER = 107 - len("/pymp-xxxxxxxx/listener-xxxxxxxx")  # what a socket's name may have


class WorkerError(InputError):
    """A worker that cannot be started, or did not live to do its work."""


class WorkerPool:
    """`workers` processes that have `module` imported; they leave Ctrl-C to this one, and end with
    it, also where it is killed.

    Python keeps one fork server a process, with what the first pool asked it to load. A worker of
    a later pool imports its own `module` as it begins. Raises `WorkerError` where the folder for
    temporary files, in which they have their sockets, has too long a name.
    """

    def __init__(self, workers: int, module: str) -> None:
        folder = tempfile.gettempdir()
        if len(os.fsencode(folder)) > LONGEST_FOLDER:
            raise WorkerError(
                f"expected a folder for temporary files whose name has at most {LONGEST_FOLDER} "
                f"bytes, as sockets lie in it, got {folder}; set TMPDIR to a shorter one"
            )
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([module])
        _start_fork_server()
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


def _start_fork_server() -> None:
    """With Ctrl-C held back, which its processes inherit: one that is still importing would end."""
    resource_tracker.ensure_running()  # else the fork server starts it, which lets Ctrl-C in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(module: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_program, daemon=True).start()
    importlib.import_module(module)


def _end_with_the_program() -> None:
    """Python itself would leave workers behind where the program is killed: they wait for it."""
    multiprocessing.parent_process().join()
    os._exit(1)
