"""Engines timed in turns on this machine, each in a process of its own on the same core.

One round is one sample of each. A sample is the mean of inferences in a row, `SAMPLE_MS` of them or
one, after an untimed one that brings the caches back; outputs are compared before anything counts.
"""

from __future__ import annotations

import contextlib
import functools
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.engine_output import check_output
from bench.engines import Engine
from bench.kernel_timing import samples_in_turns
from bench.limited import EngineError
from bench.rows import ENGINE
from bench.workers import Sample, Worker
from compile.network import Network
from deploy_rpc.cores import Dtype

SAMPLE_MS = 20  # the clock's steps and one interrupt vanish in it
WARM_UPS = 3  # samples that do not count: clocks rise, and engines fill their pools


@dataclass(frozen=True)
class Entry:
    """What takes part in a run: an engine with its file of `network`, on `threads`.

    `level` is that of our libraries.
    """

    network: Network
    engine: Engine
    threads: int = 1
    level: str | None = None


@dataclass(frozen=True)
class Timing:
    """`samples_ms` are of one inference, in the order of the rounds, each the mean of `calls`.

    `memory_bytes` is the most that the process took beyond a Python with NumPy and the input; None
    on another machine. `output` is what the engine answered to the network's example input.
    """

    samples_ms: Sequence[float]
    output: np.ndarray
    calls: int = 1
    memory_bytes: int | None = None

    @property
    def median_ms(self) -> float:
        """Of the samples."""
        return statistics.median(self.samples_ms)


Timings = dict[str, Timing]


def time_in_turns(
    entries: Mapping[str, Entry], rounds: int, dtype: Dtype = "float32"
) -> tuple[Timings, dict[str, str]]:
    """The times of `entries` by name, and of those that could not take part the reason.

    All compute in `dtype`. A peer that cannot run the network, that answers something else, or that
    fails in any round, has no times; ours has to: its failure is raised as `EngineError`.
    """
    failed: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        workers: dict[str, Worker] = {}
        networks = {id(entry.network): entry.network for entry in entries.values()}
        expected = {key: each.reference(each.example_input()) for key, each in networks.items()}
        for name, entry in entries.items():
            with failure_noted(name, entry.engine.name, failed):
                workers[name] = _verified(entry, expected[id(entry.network)], dtype, stack)
        calls: dict[str, int] = {}
        for name, worker in workers.items():
            with failure_noted(name, entries[name].engine.name, failed):
                calls[name] = calls_of_sample(lambda w=worker: w.sample(1).ms)

        def sample(name: str) -> Sample | None:
            if name not in failed:
                with failure_noted(name, entries[name].engine.name, failed):
                    return workers[name].sample(calls[name])
            return None

        turns = {name: functools.partial(sample, name) for name in calls}
        taken = samples_in_turns(turns, rounds, "processes")
        timings = {
            name: _timing(samples, workers[name], calls[name])
            for name, samples in taken.items()
            if name not in failed
        }
    return timings, failed


def calls_of_sample(one_ms: Callable[[], float]) -> int:
    """How many inferences last `SAMPLE_MS`, each as long as `one_ms()`; warms up on the way."""
    return max(1, math.ceil(SAMPLE_MS / min(one_ms() for _ in range(WARM_UPS))))


@contextlib.contextmanager
def failure_noted(key: str, engine: str, failed: dict[str, str]) -> Iterator[None]:
    """Notes in `failed`, under `key`, what a peer fails by; a failure of our `engine` is raised."""
    try:
        yield
    except EngineError as error:
        if engine == ENGINE:
            raise
        failed[key] = str(error)


def _verified(
    entry: Entry, expected: np.ndarray, dtype: Dtype, stack: contextlib.ExitStack
) -> Worker:
    """A worker that has answered right; it is stopped when `stack` ends."""
    x = entry.network.example_input()
    worker = Worker(entry.engine, x, math.prod(entry.network.output_shape), entry.threads)
    stack.callback(worker.stop)
    check_output(entry.engine.name, entry.network, worker.output, expected, dtype)
    return worker


def _timing(samples: Sequence[Sample], worker: Worker, calls: int) -> Timing:
    memory_bytes = max(sample.memory_bytes for sample in samples)
    return Timing([sample.ms for sample in samples], worker.output, calls, memory_bytes)
