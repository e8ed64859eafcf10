"""The search of MetaSchedule's own space over the kernels of a network.

Trials are shared out evenly, as MetaSchedule learns nothing about one kernel from another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from compile.tuning.auto_record import SPACE, auto_record, kernel_text, trial_of
from compile.tuning.auto_search import BATCH, AutoSearch, AutoTrial
from compile.tuning.auto_task import AutoTask
from compile.tuning.candidate import examine_candidate
from compile.tuning.log import TuningLog
from compile.tuning.log_cores import log_name
from compile.tuning.record import Record
from compile.tuning.trial import Where
from compile.tuning.workers import WorkerPool, result_of


@dataclass
class AutoProgress:
    """What is known of one kernel: what it costs plain, by our template's default tile (None where
    no template makes it), and by each schedule that was tried."""

    task: AutoTask
    plain_cost: float
    template_cost: float | None
    trials: list[AutoTrial] = field(default_factory=list)

    @property
    def best_cost(self) -> float:
        """Of one call with the best schedule, or none."""
        return min([self.plain_cost, *(each.examined.cost for each in self.trials)])


class AutoTuner:
    """Tunes `tasks` at `where`, a modelled core; `log` has every trial once `pool` has priced it.

    The pool's workers have `auto_search.MODULE` loaded.
    """

    def __init__(
        self, tasks: Sequence[AutoTask], where: Where, pool: WorkerPool, log: TuningLog
    ) -> None:
        self._where, self._pool, self._log = where, pool, log
        self._searches = [AutoSearch(each.plain, where.target, where.core, pool) for each in tasks]
        self.progress = [
            AutoProgress(task, search.start_cost(), self._template_cost(task))
            for task, search in zip(tasks, self._searches, strict=True)
        ]

    def resume(self) -> int:
        """Takes what the log already holds for these kernels; returns how many trials that is."""
        known: dict[str, list[Record]] = {}
        for record in self._log.read().records if self._log.path.exists() else ():
            if record.core == log_name(self._where.core) and record.space == SPACE:
                known.setdefault(record.workload.get("kernel", ""), []).append(record)
        for each in self.progress:
            each.trials += [trial_of(r) for r in known.get(kernel_text(each.task.plain), ())]
        return sum(len(each.trials) for each in self.progress)

    def run(self, trials: int, report: Callable[[AutoProgress], None]) -> None:
        """About `trials` more trials, at least a batch of each kernel; `report` is told of each."""
        share = max(trials // len(self.progress), BATCH)
        for each, search in zip(self.progress, self._searches, strict=True):
            wanted = len(each.trials) + share

            def note(trial: AutoTrial, each: AutoProgress = each) -> None:
                self._log.append([auto_record(each.task.plain, trial, self._where)])
                each.trials.append(trial)

            def is_over(each: AutoProgress = each, wanted: int = wanted) -> bool:
                return len(each.trials) >= wanted

            search.run(note, is_over, known=list(each.trials))
            report(each)

    def _template_cost(self, task: AutoTask) -> float | None:
        if task.made is None:
            return None
        where = self._where
        priced = self._pool.start(
            examine_candidate, task.made, task.made.tile, where.target_text, where.core.name
        )
        return result_of(priced).cost
