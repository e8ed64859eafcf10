"""The search over all kernels of a network, with a record of every trial.

Every kernel tries its default tile first, then those that are most like the best ones of the most
similar kernels. The next batch goes to the kernel from which the network can gain most: its calls
times what its best tile scores above the model's best guess less `HOPE`, or above its arithmetic
while too little is known, shared out over the tiles already tried. The search ends after `trials`,
or where the best gain is below `LEAST_GAIN` of the network.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from compile.schedules.templates import Made
from compile.tuning.candidate import Examined, with_tile
from compile.tuning.decisions import key_of, tile_of
from compile.tuning.experience import Lesson
from compile.tuning.judge import Contenders, Verdict
from compile.tuning.log import TuningLog
from compile.tuning.log_cores import log_name
from compile.tuning.record import Record
from compile.tuning.record_fields import IN_NETWORK
from compile.tuning.search import LEAST_LEARNED, Model, proposed
from compile.tuning.task import Task
from compile.tuning.trial import Where, trial_record

GUESSED_LEAST = 0.8  # of the best time, while too little is known
HOPE = 0.05  # by which the best tile may be better than the model says
NEAR = 1.1  # times the best time alone, for a tile to be worth a try in the network
WINNERS = 3  # of other kernels, that every kernel tries first
LEAST_GAIN = 1e-4  # of the whole network's score, that one kernel promises


class Examiner(Protocol):
    """Where candidates are priced: `ModelledCore`, or `Boards`. `kind` and `unit` as in records.

    `batch` is how many it takes well at once.
    """

    kind: str
    unit: str
    batch: int

    def examine(self, pairs: Sequence[tuple[Made, Any]]) -> Iterator[tuple[int, Examined]]:
        """Of each pair its index and what became of it, as soon as it is known."""


@dataclass
class Progress:
    """What is known of one task: the cost of every tile tried, and of the default one.

    Costs are shown, scores, by which records rank, decide. Both are infinite where a tile does not
    work.
    """

    task: Task
    space: list[Any]
    tried: dict[Any, float] = field(default_factory=dict)
    scores: dict[Any, float] = field(default_factory=dict)

    def take(self, tile: Any, record: Record) -> None:  # noqa: ANN401 (any template's tile)
        """That `record` is of `tile`."""
        works = record.outcome == "ok"
        self.tried[tile] = record.median if works else math.inf
        self.scores[tile] = record.score if works else math.inf

    @property
    def default_cost(self) -> float:
        """Of one call without a record."""
        return self.tried[self.task.made.tile]

    @property
    def default_score(self) -> float:
        """That of the default tile."""
        return self.scores[self.task.made.tile]

    @property
    def best_score(self) -> float:
        """The least of all."""
        return min(self.scores.values())

    @property
    def best_cost(self) -> float:
        """Of one call with the best tile."""
        return self.tried[min(self.scores, key=self.scores.__getitem__)]

    def best_tiles(self, count: int) -> tuple[Any, ...]:
        """The `count` best ones at most `NEAR` times as dear as the best, and the default one: of
        those that work."""
        working = {tile: score for tile, score in self.scores.items() if score < math.inf}
        most = NEAR * min(working.values(), default=0)
        near = [tile for tile, score in working.items() if score <= most]
        best = sorted(near, key=working.__getitem__)[:count]
        return tuple(t for t in dict.fromkeys([*best, self.task.made.tile]) if t in working)

    @property
    def compares(self) -> bool:
        """Whether the default tile works, so that a gain over it is one."""
        return self.tried.get(self.task.made.tile, math.inf) < math.inf


@dataclass(frozen=True)
class Step:
    """The state after a batch: trials so far, and cycles or seconds of the network's kernels."""

    task: str
    trials: int
    seconds: float
    cost: float


class Tuner:
    """Tunes `tasks` at `where`; every trial is in `log` as soon as `examiner` has priced it."""

    def __init__(
        self,
        tasks: Sequence[Task],
        where: Where,
        examiner: Examiner,
        log: TuningLog,
        lessons: Iterable[Lesson] = (),
        seed: int = 0,
    ) -> None:
        self.progress = [Progress(task, task.space(where.core)) for task in tasks]
        self.steps: list[Step] = []
        self._where, self._examiner, self._log = where, examiner, log
        self._model, self._chance = Model(where.core.of(where.target.dtype)), random.Random(seed)
        self._trials, self._start = 0, time.monotonic()
        for lesson in lessons:
            self._model.learn(lesson.made, lesson.cost, lesson.core)

    def resume(self) -> int:
        """Takes what the log already holds for these tasks; returns how many trials that is."""
        known = {self._key(each.task): each for each in self.progress}
        taken = 0
        for record in self._log.read().records if self._log.path.exists() else ():
            each = known.get(record.key) if record.core == log_name(self._where.core) else None
            tile = tile_of(record) if each and record.kind == self._examiner.kind else None
            if tile is not None and tile in each.space:
                each.take(tile, record)
                taken += 1
        for each in self.progress:
            self._learn_all(each)
        return taken

    def run(self, trials: int, report: Callable[[Step], None]) -> None:
        """Up to `trials` more trials, the default tiles among them, which are tried in any case."""
        self._start = time.monotonic()
        self._try_defaults(report)
        self._try_winners(trials, report)
        while self._trials < trials and (each := self._most_promising()) is not None:
            count = min(self._examiner.batch, trials - self._trials)
            tiles = proposed(
                each.task.made, each.space, each.tried, self._model, count, self._chance
            )
            self._try([(each, tile) for tile in tiles])
            self._report(each.task.name, report)

    @property
    def without_default(self) -> list[Progress]:
        """The kernels whose default tile is to be tried first."""
        return [each for each in self.progress if each.task.made.tile not in each.tried]

    def dearest_first(self) -> list[Progress]:
        """The kernels that are known, by what they take of the network."""
        known = [each for each in self.progress if each.tried]
        return sorted(known, key=lambda each: -each.task.calls * each.best_cost)

    def contenders(self, count: int) -> list[Contenders]:
        """Of each kernel the `count` best tiles near the best one, and the default tile.

        The kernel that takes most of the network's time is first.
        """
        kernels = [(each.task, each.best_tiles(count)) for each in self.dearest_first()]
        return [Contenders(task, tiles) for task, tiles in kernels if tiles]

    def take(self, verdict: Verdict) -> None:
        """Records what was found in the network."""
        examined = Examined("ok", verdict.seconds, {"tiles_judged": verdict.judged})
        self._record(verdict.task, verdict.tile, examined, IN_NETWORK)

    @property
    def network_cost(self) -> float:
        """Of all tasks' calls with their best tiles, but of those whose default tile fails."""
        return sum(each.task.calls * each.best_cost for each in self.progress if each.compares)

    @property
    def default_network_cost(self) -> float:
        """Of the same calls without records."""
        return sum(each.task.calls * each.default_cost for each in self.progress if each.compares)

    def _try_defaults(self, report: Callable[[Step], None]) -> None:
        self._try([(each, each.task.made.tile) for each in self.without_default])
        self._report("defaults", report)

    def _try_winners(self, trials: int, report: Callable[[Step], None]) -> None:
        """Of the dearest kernels only, where `trials` are not enough for all."""
        pairs = [
            (each, tile)
            for each in self.dearest_first()
            for tile in islice(self._model.winners(each.task.made, each.space), WINNERS)
            if tile not in each.tried
        ]
        batch = self._examiner.batch
        left = pairs[: max(trials - self._trials, 0)]
        for start in range(0, len(left), batch):
            self._try(left[start : start + batch])
            self._report("best of other kernels", report)

    def _try(self, pairs: Sequence[tuple[Progress, Any]]) -> None:
        candidates = [(each.task.made, tile) for each, tile in pairs]
        for index, examined in self._examiner.examine(candidates):
            each, tile = pairs[index]
            each.take(tile, self._record(each.task, tile, examined, self._examiner.kind))
            self._trials += 1
        for each, tile in pairs:
            self._learn(each, tile)

    def _learn_all(self, each: Progress) -> None:
        for tile in each.tried:
            self._learn(each, tile)

    def _learn(self, each: Progress, tile: Any) -> None:  # noqa: ANN401 (any template's tile)
        if each.scores[tile] < math.inf and each.compares:
            share = each.scores[tile] / each.default_score
            self._model.learn(with_tile(each.task.made, tile), share)

    def _most_promising(self) -> Progress | None:
        """The task to go on with; None where none promises enough."""
        open_ones = [each for each in self.progress if len(each.tried) < len(each.space)]
        gains = {id(each): self._gain(each) for each in open_ones}
        best = max(open_ones, key=lambda each: gains[id(each)], default=None)
        whole = sum(each.task.calls * each.best_score for each in self.progress if each.compares)
        if best is None or gains[id(best)] < LEAST_GAIN * whole:
            return None
        return best

    def _gain(self, each: Progress) -> float:
        """What the network's score may fall by with one more trial.

        A kernel of which no tile works yet comes first, until there is little hope.
        """
        if each.best_score == math.inf:
            return math.inf if len(each.tried) < LEAST_LEARNED else 0.0
        known = len(each.tried) >= LEAST_LEARNED and each.compares
        costs = self._model.predict(each.task.made, each.space, each.tried) if known else None
        least = self._least(each)
        if costs is not None:
            hoped = float(each.default_score * costs.min()) * (1 - HOPE)
            least = max(hoped, least) if self._examiner.unit == "cycles" else hoped
        return each.task.calls * (each.best_score - least) / len(each.tried)

    def _least(self, each: Progress) -> float:
        """The score that no tile can beat: the arithmetic, without a miss; of seconds nothing is
        known but the best time."""
        if self._examiner.unit == "cycles":
            return each.task.macs / self._where.core.of(self._where.target.dtype).macs_per_cycle
        return GUESSED_LEAST * each.best_score

    def _report(self, name: str, report: Callable[[Step], None]) -> None:
        seconds = time.monotonic() - self._start
        self.steps.append(Step(name, self._trials, seconds, self.network_cost))
        report(self.steps[-1])

    def _record(self, task: Task, tile: Any, examined: Examined, kind: str) -> Record:  # noqa: ANN401
        record = trial_record(task, tile, examined, self._where, kind, self._examiner.unit)
        self._log.append([record])
        return record

    def _key(self, task: Task) -> str:
        return key_of(task.made.template, task.made.workload, task.made.threads)
