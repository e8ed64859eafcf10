"""Worker processes have the compiler at hand, and leave Ctrl-C to the program."""

from __future__ import annotations

import signal
import sys

from compile.tuning.workers import worker_pool


def test_a_worker_is_warm_and_ignores_interrupts() -> None:
    with worker_pool(1, "compile.tuning.candidate") as pool:
        assert pool.submit(signal.getsignal, signal.SIGINT).result() == signal.SIG_IGN
        assert pool.submit(_has_tvm).result()


def _has_tvm() -> bool:
    return "tvm" in sys.modules
