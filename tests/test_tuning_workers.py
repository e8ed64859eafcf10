"""Worker processes have the compiler at hand, leave Ctrl-C to the program, and may die."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.provenance import REPOSITORY
from compile.tuning.workers import WorkerError, WorkerPool, result_of
from tests.agents import becomes_true

PROGRAM = """
import os, time
from compile.tuning.workers import WorkerPool, result_of
if __name__ == "__main__":
    pool = WorkerPool(1, "wave")
    result_of(pool.start(os.getpid))
    print("up", flush=True)
    time.sleep(100)
"""

SLOW_PROGRAM = """
import os, signal, time
from compile.tuning.workers import WorkerPool, result_of
time.sleep(0.5)  # a worker imports this, too
if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda *_: None)
    pool = WorkerPool(1, "wave")
    pid = pool.start(os.getpid)
    for _ in range(8):
        time.sleep(0.1)
        os.killpg(0, signal.SIGINT)
    print("worker", result_of(pid), flush=True)
    pool.close()
"""


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    with contextlib.closing(WorkerPool(1, "compile.tuning.candidate")) as made:
        yield made


def test_a_worker_is_warm_and_ignores_interrupts(pool: WorkerPool) -> None:
    assert result_of(pool.start(signal.getsignal, signal.SIGINT)) == signal.SIG_IGN
    assert result_of(pool.start(_has_tvm))


def test_ctrl_c_does_not_end_a_worker_that_is_still_importing(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(SLOW_PROGRAM, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run(
        [sys.executable, str(program)], env=environment, capture_output=True, text=True,
        timeout=120, start_new_session=True, check=False,
    )  # fmt: skip
    assert ran.stdout.startswith("worker "), ran.stderr


def test_a_second_pool_has_its_own_module_too(pool: WorkerPool) -> None:
    result_of(pool.start(_has_tvm))
    with contextlib.closing(WorkerPool(1, "wave")) as second:
        assert result_of(second.start(_has, "wave"))


def test_a_worker_that_dies_is_an_error_with_the_next_step(pool: WorkerPool) -> None:
    with pytest.raises(WorkerError, match="--resume"):
        result_of(pool.start(os._exit, 1))
    with pytest.raises(WorkerError, match="--resume"):
        pool.start(_has_tvm)


def test_no_process_outlives_a_program_that_is_killed(tmp_path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert program.stdout.readline() == "up\n"
    assert len(processes_of_session(program.pid)) >= 3  # this one, the fork server, a worker
    program.kill()
    program.wait()
    program.stdout.close()
    assert becomes_true(lambda: not processes_of_session(program.pid))


def processes_of_session(leader: int) -> list[int]:
    """Those that a program with a session of its own has started, and itself."""
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(pid) == leader:
                found.append(pid)
    return found


def test_a_folder_too_long_for_sockets_is_an_error_with_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 80)))
    with pytest.raises(WorkerError, match=r"at most 75 bytes, .* got .*xxx; set TMPDIR"):
        WorkerPool(1, "compile.tuning.candidate")


def _has_tvm() -> bool:
    return _has("tvm")


def _has(module: str) -> bool:
    return module in sys.modules
