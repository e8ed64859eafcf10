"""The best tiles of each kernel, judged inside the whole network: which of them it runs fastest.

Alone a kernel finds its tensors in the caches; in the network they come from another kernel, the
weights from further away, and its tile decides what it leaves to the next one. So libraries that
differ in one kernel are timed in turns on the board, kernel by kernel, the dearest first, and each
verdict holds for the next kernels.

Two loads of the very same library may differ by 1 % for as long as they live, by the pages that
they lie in. So each is loaded `LOADS` times, from a copy of its own, and a load is one observation:
the median of its inferences. The best tile alone stays, unless another one, the default tile among
them, has the lower median and differs by more than chance: Wilcoxon, by load in pairs, with
`MOST_CHANCE` for all other tiles of the kernel together.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import wilcoxon

from compile.library import build_library
from compile.link import find_linker
from compile.lower import Lowered, redecided
from compile.passes.take_decisions import Decision
from compile.schedules.int8_workloads import uncalibrated
from compile.schedules.templates import Workload
from compile.tuning.task import Task
from compile.verify import VerificationError, verify
from deploy_rpc.affinity import pinned_to_cores
from deploy_rpc.board_spec import BoardError, BoardSpec
from deploy_rpc.session import Session, open_session
from deploy_rpc.timing import interleaved_times_ms

LOADS = 12  # of which Wilcoxon finds a 4096th at least, enough for 41 tiles
ROUNDS = 5  # inferences of a load that count
MOST_CHANCE = 0.01
TRIES = 3  # of one load on boards that fail
PAUSE_S = 1.0  # before another try


@dataclass(frozen=True)
class Contenders:
    """The tiles of `task` to judge, the best one alone first."""

    task: Task
    tiles: tuple[Any, ...]


@dataclass(frozen=True)
class Verdict:
    """That `tile`, of `judged` ones, is the one for `task`.

    The seconds are of one inference, the median of each load, with it and with the best tile alone.
    """

    task: Task
    tile: Any
    judged: int
    seconds: tuple[float, ...]
    seconds_before: tuple[float, ...]

    def __str__(self) -> str:
        before, after = (1e3 * statistics.median(s) for s in (self.seconds_before, self.seconds))
        if self.seconds == self.seconds_before:
            return f"{self.task.name}: of {self.judged} tiles the best alone stays, {after:.3f} ms"
        return f"{self.task.name}: another of {self.judged} tiles, {before:.3f} -> {after:.3f} ms"


class Judge:
    """Judges on one board at `spec` of `fused`, which is lowered for it, at level fused."""

    def __init__(
        self, fused: Lowered, spec: BoardSpec, timeout_s: float, say: Callable[[str], None]
    ) -> None:
        self._fused, self._spec, self._timeout_s, self._say = fused, spec, timeout_s, say
        self._linker = find_linker("auto", fused.target)
        self._x = fused.network.example_input()
        self._expected = fused.network.references(self._x)

    def verdicts(self, kernels: Sequence[Contenders]) -> Iterator[Verdict]:
        """One for each of `kernels` that has more than one tile, in their order.

        All of them begin with their first tile. Raises `BoardError` where boards fail too often.
        """
        chosen = {each.task.made.workload: each.tiles[0] for each in kernels}
        for each in kernels:
            if len(each.tiles) > 1:
                verdict = self._verdict(each, chosen)
                chosen[each.task.made.workload] = verdict.tile
                yield verdict

    def _verdict(self, kernel: Contenders, chosen: Mapping[Workload, Any]) -> Verdict:
        with tempfile.TemporaryDirectory(prefix="judged-") as folder:
            libraries = {
                index: self._built(
                    Path(folder) / f"tile{index}.so", {**chosen, kernel.task.made.workload: tile}
                )
                for index, tile in enumerate(kernel.tiles)
            }
            times = self._times(libraries)
        best = winner(times)
        seconds = {index: tuple(ms / 1e3 for ms in samples) for index, samples in times.items()}
        return Verdict(kernel.task, kernel.tiles[best], len(times), seconds[best], seconds[0])

    def _built(self, path: Path, tiles: Mapping[Workload, Any]) -> Path:
        """The library of the network with those `tiles`."""

        def decide(workload: Workload) -> Decision | None:
            tile = tiles.get(uncalibrated(workload))
            return Decision(tile, "tuned") if tile is not None else None

        build_library(redecided(self._fused, decide), self._fused.target, self._linker, path)
        return path

    def _times(self, libraries: Mapping[int, Path]) -> dict[int, list[float]]:
        """Milliseconds of each load, of those that answer right in all of them.

        Which one is loaded first goes round, as memory that one left may be given to the next.
        """
        times: dict[int, list[float]] = {index: [] for index in libraries}
        for load in range(LOADS):
            first = load % len(times)
            order = [*list(times)[first:], *list(times)[:first]]
            medians = self._load_on_some_board({index: libraries[index] for index in order})
            times = {
                index: [*ms, medians[index]] for index, ms in times.items() if index in medians
            }
        return times

    def _load_on_some_board(self, libraries: Mapping[int, Path]) -> dict[int, float]:
        for tries_left in reversed(range(TRIES)):
            try:
                with _session(self._spec, self._fused.threads, self._timeout_s) as session:
                    return self._medians(session, libraries)
            except BoardError as error:
                if not tries_left:
                    raise
                self._say(f"in the network: {error}")
                time.sleep(PAUSE_S)
        raise AssertionError("the last try returns or raises")

    def _medians(self, session: Session, libraries: Mapping[int, Path]) -> dict[int, float]:
        """Milliseconds, in turns, of those that answer right; tile 0 has to."""
        network, modules = self._fused.network, {}
        for index, path in libraries.items():
            module = session.load(
                path, output_shapes=network.output_shapes, threads=self._fused.threads
            )
            try:
                verify(module, network, self._expected, level="tuned", where=str(self._spec))
            except VerificationError as error:
                if index == 0:
                    raise
                self._say(f"in the network: {error}")
                continue
            modules[index] = module
        times = interleaved_times_ms(modules, self._x, ROUNDS)
        return {index: statistics.median(samples) for index, samples in times.items()}


def winner(times: Mapping[int, Sequence[float]]) -> int:
    """The index that wins over 0: of the least median, if it differs by more than chance.

    `times` are those of the loads, of the first load first, so that they are in pairs. The best of
    many is more likely to be so by chance, so that each other index has its share of it only.
    """
    best = min(times, key=lambda index: statistics.median(times[index]))
    difference = np.subtract(times[best], times[0])
    if best == 0 or not difference.any():
        return 0
    most_chance = MOST_CHANCE / (len(times) - 1)
    return best if wilcoxon(difference, alternative="less").pvalue < most_chance else 0


@contextlib.contextmanager
def _session(spec: BoardSpec, threads: int, timeout_s: float) -> Iterator[Session]:
    """On this machine kept to as many cores as there are threads."""
    pinned = pinned_to_cores(threads) if spec.kind == "local" else contextlib.nullcontext()
    with pinned, open_session(spec, timeout_s=timeout_s) as session:
        yield session
