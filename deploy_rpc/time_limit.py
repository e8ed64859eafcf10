"""Limits on calls that block: TVM's RPC client has none of its own.

A call that outlasts its limit cannot be stopped, only left behind: it goes on in a daemon thread,
which keeps what the call uses alive and does not hold up the end of the program.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import TypeVar

from deploy_rpc.board_spec import BoardError

T = TypeVar("T")


class BoardTimeoutError(BoardError):
    """A call that did not return within its limit."""


class LimitedThread:
    """One daemon thread that makes calls in turn, so that TVM's thread-local state lasts.

    `left_behind` says what outlasted its limit; from then on every call is refused.
    """

    def __init__(self) -> None:
        self.left_behind: str | None = None
        self._jobs: SimpleQueue = SimpleQueue()
        threading.Thread(target=_make_calls, args=(self._jobs,), daemon=True).start()

    def call_within(
        self, seconds: float, function: Callable[..., T], *args: object, what: str
    ) -> T:
        """`function(*args)`, with its result and its exceptions.

        Raises `BoardTimeoutError` that says `what` and the limit where it takes longer than
        `seconds`, or where an earlier call has not returned.
        """
        if self.left_behind:
            raise BoardTimeoutError(
                f"{what}: the board still hangs in an earlier step, "
                f"{self.left_behind}; open a new session"
            )
        outcome: Future = Future()
        self._jobs.put((outcome, function, args))
        if not wait([outcome], timeout=seconds).done:
            self.left_behind = what
            raise BoardTimeoutError(f"{what}: no answer within {seconds:g} s")
        try:
            return outcome.result()
        finally:
            del outcome  # an error's traceback holds this frame, and must not hold the error

    def end(self, last: Callable[[], object] = lambda: None) -> None:
        """Lets the thread end after the calls that it was given, whenever that is, and `last`."""
        self._jobs.put((Future(), last, ()))
        self._jobs.put(None)


def call_within(seconds: float, function: Callable[..., T], *args: object, what: str) -> T:
    """`function(*args)` in a daemon thread of its own, as `LimitedThread.call_within`."""
    thread = LimitedThread()
    try:
        return thread.call_within(seconds, function, *args, what=what)
    finally:
        thread.end()


def _make_calls(jobs: SimpleQueue) -> None:
    while (job := jobs.get()) is not None:
        _make_call(*job)
        del job  # what the call used is freed now, not with the next call


def _make_call(outcome: Future, function: Callable[..., object], args: tuple) -> None:
    try:
        result = function(*args)
    except BaseException as error:  # whatever it is, the caller gets it
        outcome.set_exception(error)
        del outcome, args  # the error holds this frame, which held what the call used
    else:
        outcome.set_result(result)
