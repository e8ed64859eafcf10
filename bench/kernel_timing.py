"""Kernels of a network, FMA loops and the network itself, timed in turns on one core."""

from __future__ import annotations

import contextlib
import functools
import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import track
from tvm import tirx

from compile.kernels import kernel_tensors
from compile.library import build_kernels
from compile.link import find_linker
from compile.targets import CompileTarget
from deploy_rpc.affinity import pinned_to_cores
from deploy_rpc.board_spec import BoardError, BoardSpec
from deploy_rpc.session import Session, open_session
from deploy_rpc.session_kernels import LoadedKernels

S = TypeVar("S")

ROUNDS = 21
SAMPLE_S = 1e-3  # a sample lasts at least this long, so that the clock's steps vanish in it
BOARD_TIMEOUT_S = 300
MARGIN = 1.25  # the calls of a sample are counted once, and clocks rise


@contextlib.contextmanager
def bench_session(board: BoardSpec, target: CompileTarget, threads: int) -> Iterator[Session]:
    """A session on `board`; on this machine it keeps to as many cores as it has threads.

    On a board over RPC its server decides which cores are used. Raises `BoardError` where the board
    is not of the target's kind.
    """
    pinned = pinned_to_cores(threads) if board.kind == "local" else contextlib.nullcontext()
    with pinned as cores, open_session(board, timeout_s=BOARD_TIMEOUT_S) as session:
        if session.isa not in (None, target.core.isa):
            raise BoardError(
                f"target {target.name} is {target.core.isa}, but board {board} is {session.isa}; "
                "measure on a board of the target's kind (rpc:// or tracker://), or for its target"
            )
        if cores:
            print(f"kept to core {', '.join(map(str, cores))} of this machine")
        yield session


def load_kernels(
    session: Session, kernels: Mapping[str, tirx.PrimFunc], target: CompileTarget, threads: int
) -> LoadedKernels:
    """Builds the scheduled `kernels` for `target` and puts them on the board."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "kernels.so"
        linker = find_linker("auto", target)
        scratch = build_kernels(kernels, target, linker, library, threads)
        tensors = {name: kernel_tensors(kernel, scratch[name]) for name, kernel in kernels.items()}
        return session.load_kernels(library, tensors, threads=threads)


def calls_of_samples(
    time_s: Mapping[str, Callable[..., float]], sample_s: float = SAMPLE_S
) -> dict[str, int]:
    """How many calls of each last `sample_s`; `time_s[name](calls=N)` is the mean seconds of N."""
    return {name: _calls_that_last(time, sample_s) for name, time in time_s.items()}


def timed_in_turns(
    time_s: Mapping[str, Callable[..., float]], calls: Mapping[str, int], rounds: int = ROUNDS
) -> dict[str, list[float]]:
    """Seconds of one call by name, the mean of `calls` of it in each of `rounds`, in turns."""
    sample = {name: functools.partial(time, calls=calls[name]) for name, time in time_s.items()}
    return samples_in_turns(sample, rounds)


def _calls_that_last(time_s: Callable[..., float], sample_s: float) -> int:
    calls = 1
    while (seconds := time_s(calls=calls)) * calls < sample_s / 2:
        calls *= 2
    return max(1, math.ceil(MARGIN * sample_s / seconds))


def samples_in_turns(
    sample: Mapping[str, Callable[[], S]], rounds: int = ROUNDS, what: str = "kernels"
) -> dict[str, list[S]]:
    """What `sample[name]()` says in each of `rounds`, in turns, so that noise falls on all alike.

    A progress bar tells the time that is left.
    """
    samples: dict[str, list[S]] = {name: [] for name in sample}
    for name in _tracked([*sample] * rounds, f"{len(sample)} {what} in turns, {rounds} rounds"):
        samples[name].append(sample[name]())
    return samples


def _tracked(turns: Sequence[str], description: str) -> Iterator[str]:
    """`turns` with a progress bar and the time left, where somebody is looking."""
    if not sys.stderr.isatty():
        print(description, flush=True)
        return iter(turns)
    return iter(track(turns, description=description, console=Console(stderr=True)))
