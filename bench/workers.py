"""Processes that run one engine each, told one at a time to take a sample."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.engines import Engine
from bench.limited import EngineError
from deploy_rpc.affinity import pinned_to_cores

SCRIPT = Path(__file__).parent / "engine_worker.py"
LOAD_LIMIT_S = 300  # torch.compile takes a minute for a network on one core
SAMPLE_LIMIT_S = 120
STOP_LIMIT_S = 10


@dataclass(frozen=True)
class Sample:
    """Milliseconds of one inference, and the most bytes the engine has taken by then."""

    ms: float
    memory_bytes: int


class Worker:
    """`engine` in a process of its own, kept to as many cores as it has `threads`.

    `output` is its first answer to `x`, flat. Raises `EngineError` where the engine fails.
    """

    def __init__(self, engine: Engine, x: np.ndarray, outputs: int, threads: int) -> None:
        self._engine = engine
        with tempfile.TemporaryDirectory(prefix="worker-") as name:
            folder = Path(name)
            given, wanted = folder / "input.npy", folder / "output.npy"
            np.save(given, x)
            words = (engine.name, engine.model, given, wanted, outputs, threads)
            self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed in `stop`)
            with pinned_to_cores(threads):  # a child keeps to its parent's cores
                self._process = subprocess.Popen(
                    [sys.executable, "-Es", str(SCRIPT), *map(str, words)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
                )  # fmt: skip
            try:
                self._answer(LOAD_LIMIT_S)
                self.output = np.load(wanted)
            except BaseException:
                self.stop()
                raise

    def sample(self, calls: int) -> Sample:
        """The mean of `calls` inferences in a row, after an untimed one."""
        try:
            print(calls, file=self._process.stdin, flush=True)
        except BrokenPipeError as error:
            raise self._failure() from error
        return Sample(**self._answer(SAMPLE_LIMIT_S))

    def stop(self) -> None:
        """Ends the process, whatever it does."""
        with contextlib.suppress(BrokenPipeError):  # it is dead already
            self._process.stdin.close()
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _answer(self, limit_s: float) -> dict[str, float]:
        ready, _, _ = select.select([self._process.stdout], [], [], limit_s)
        if not ready:
            self._process.kill()
            raise EngineError(f"{self._engine.name} did not answer within {limit_s} s; is it hung?")
        line = self._process.stdout.readline()
        if not line:
            raise self._failure()
        return json.loads(line)

    def _failure(self) -> EngineError:
        """What the process said last, be it that it lives on without an output."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_LIMIT_S)
        self._errors.seek(0)
        last = (self._errors.read().strip().splitlines() or ["it said nothing"])[-1]
        return EngineError(f"{self._engine.name} failed: {last}")
