"""Worker processes have the compiler at hand, leave Ctrl-C to the program, and may die."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from compile.tuning.workers import WorkerError, WorkerPool, result_of


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    with contextlib.closing(WorkerPool(1, "compile.tuning.candidate")) as made:
        yield made


def test_a_worker_is_warm_and_ignores_interrupts(pool: WorkerPool) -> None:
    assert result_of(pool.start(signal.getsignal, signal.SIGINT)) == signal.SIG_IGN
    assert result_of(pool.start(_has_tvm))


def test_a_second_pool_has_its_own_module_too(pool: WorkerPool) -> None:
    result_of(pool.start(_has_tvm))
    with contextlib.closing(WorkerPool(1, "wave")) as second:
        assert result_of(second.start(_has, "wave"))


def test_a_worker_that_dies_is_an_error_with_the_next_step(pool: WorkerPool) -> None:
    with pytest.raises(WorkerError, match="--resume"):
        result_of(pool.start(os._exit, 1))
    with pytest.raises(WorkerError, match="--resume"):
        pool.start(_has_tvm)


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
