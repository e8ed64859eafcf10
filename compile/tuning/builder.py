"""Candidates built for boards by warm worker processes, ahead of their measurement.

A worker makes the library, the values that the kernel is fed, and the answer that it has to give,
which is the default tile's on this machine, or that of whole numbers. All of it lies in files of a
folder of its own: values of large dense layers take hundreds of megabytes, and they wait for a
board.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compile.kernels import kernel_tensors
from compile.library import build_kernels
from compile.link import Linker, find_linker
from compile.schedules.templates import Made
from compile.targets import CompileTarget, parse_target
from compile.tuning.candidate import (
    BUILD_ERRORS,
    KERNEL,
    Examined,
    answer_of,
    does_not_build,
    inputs_of,
    with_tile,
)
from compile.tuning.clock import calibration_kernel
from compile.tuning.workers import WorkerError, WorkerPool, result_of
from deploy_rpc.session_kernels import KernelTensor

ANSWER = "answer"


@dataclass(frozen=True)
class Built:
    """A candidate in `folder`; `tensors` are what it is called with, the scratch last."""

    folder: Path
    tensors: tuple[KernelTensor, ...]
    threads: int

    @property
    def library(self) -> Path:
        """With the function `KERNEL`."""
        return self.folder / "kernel.so"

    def values(self) -> tuple[list[np.ndarray], np.ndarray]:
        """What the kernel is called with, the output last, and the answer that it has to give."""
        with np.load(self.folder / "values.npz") as kept:
            inputs = [kept[name] for name in sorted(kept.files) if name != ANSWER]
            return inputs, kept[ANSWER]

    def remove(self) -> None:
        """Deletes the files; the board has what it needs."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Builder:
    """`workers` processes that build for the target of `target_text`, until it is closed."""

    def __init__(self, target_text: str, workers: int) -> None:
        self._target_text = target_text
        self._pool = WorkerPool(workers, __name__)
        self._calibration: Built | None = None
        self._calibrating = threading.Lock()
        self._files = tempfile.TemporaryDirectory(prefix="candidates-", ignore_cleanup_errors=True)

    def close(self) -> None:
        """Ends the workers and deletes all files."""
        self._pool.close()
        self._files.cleanup()

    def calibration(self) -> Built:
        """The kernel that tells a board's clock, built once; raises `WorkerError`."""
        with self._calibrating:
            if self._calibration is None:
                made = calibration_kernel(parse_target(self._target_text).core)
                kernel = self.build(made, made.tile)
                if isinstance(kernel, Examined):
                    raise WorkerError(f"nothing builds for {self._target_text}: {kernel.reason}")
                self._calibration = kernel
        return self._calibration

    def build(self, made: Made, tile: Any) -> Built | Examined:  # noqa: ANN401
        """`made` with `tile`, after all that was begun before."""
        return result_of(self.start(made, tile))

    def start(self, made: Made, tile: Any) -> Future[Built | Examined]:  # noqa: ANN401
        """Begins to build `made` with `tile`, behind what was begun before.

        The future holds what became of a candidate that does not build.
        """
        folder = Path(tempfile.mkdtemp(dir=self._files.name))
        return self._pool.start(build_candidate, made, tile, self._target_text, folder)


def build_candidate(made: Made, tile: Any, target: str, folder: Path) -> Built | Examined:  # noqa: ANN401
    """Builds into `folder` what a board needs to measure `made` with `tile`."""
    candidate = with_tile(made, tile)
    built = Built(folder, (), made.threads)
    try:
        answer = answer_of(made)
        kernel = candidate.kernel()
        wanted, linker = _target(target)
        scratch = build_kernels({KERNEL: kernel}, wanted, linker, built.library, made.threads)
    except BUILD_ERRORS as failure:
        return does_not_build(failure)
    inputs = {f"input_{number:02}": value for number, value in enumerate(inputs_of(candidate))}
    np.savez(folder / "values.npz", **inputs, **{ANSWER: answer})
    return Built(folder, kernel_tensors(kernel, scratch[KERNEL]), made.threads)


@functools.lru_cache(maxsize=1)
def _target(text: str) -> tuple[CompileTarget, Linker]:
    target = parse_target(text)
    return target, find_linker("auto", target)
