"""MetaSchedule's own search over its own space of one kernel, priced on a modelled core.

The rules, mutators and postprocessors are those that it has for CPUs, without parallel loops and
with weights packed ahead; the search is evolutionary, with its XGBoost model. A population of 512,
its default, took 32 and 56 s to breed before the first two batches of a kernel (two shared cores,
2026-11-25): `POPULATION` is bred in a few seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from typing import Any

import tvm
from tvm import tirx
from tvm.s_tir import meta_schedule
from tvm.s_tir.meta_schedule import schedule_rule as rule
from tvm.s_tir.meta_schedule.database import MemoryDatabase, TuningRecord, Workload
from tvm.s_tir.meta_schedule.runner import RunnerResult
from tvm.s_tir.schedule import Trace

from compile.targets import CompileTarget
from compile.tuning.auto_candidate import examine_scheduled, scheduled_by, trace_of
from compile.tuning.candidate import Examined
from compile.tuning.tensor_intrinsics import without_tensor_intrinsics
from compile.tuning.workers import WorkerPool, result_of
from deploy_rpc.cores import Core

MODULE = "compile.tuning.auto_candidate"  # what the workers of a pool for it have loaded
POPULATION, GENERATIONS, BATCH = 64, 2, 4
VECTOR_BYTES = 64  # MetaSchedule's limits for CPUs, of unrolled steps too
UNROLLED_STEPS = [0, 16, 64, 512]
MOST_TRIALS = 100_000  # its own limit; ours ends the search
FAILED_S = 1e10  # MetaSchedule's own
SEED = 1


@dataclass(frozen=True)
class AutoTrial:
    """A schedule, as the trace that makes it of the plain kernel, and what became of it."""

    trace: list[Any]
    examined: Examined


class AutoSearch:
    """The search for schedules of the unscheduled `plain` on `core`, priced in `pool`'s workers."""

    def __init__(
        self, plain: tirx.PrimFunc, target: CompileTarget, core: Core, pool: WorkerPool
    ) -> None:
        self._plain, self._target, self._core, self._pool = plain, target, core, pool

    def start_cost(self) -> float:
        """Cycles of the kernel as it is, without any schedule."""
        return result_of(self._begin(tvm.IRModule({"main": self._plain}))).cost

    def run(
        self,
        note: Callable[[AutoTrial], None],
        is_over: Callable[[], bool],
        known: Iterable[AutoTrial] = (),
    ) -> None:
        """Searches on from what is `known` until `is_over`, or the space is exhausted.

        `note` is told of each trial as soon as it is priced; what is known is not priced again.
        What the workers have not done at the end is left to whoever closes their pool.
        """
        context = self._context()
        database, model = MemoryDatabase(), meta_schedule.cost_model.XGBModel(num_tuning_cores=2)
        workload = database.commit_workload(context.mod)
        costs = {str(trial.trace): trial.examined.cost for trial in known}
        for trial in known:
            schedule = scheduled_by(self._plain, trial.trace)
            _commit(database, workload, context, schedule.trace, trial.examined.cost, None)
        spaces = context.generate_design_space()
        context.pre_tuning(MOST_TRIALS, BATCH, spaces, database, model)
        while not is_over() and (candidates := context.generate_measure_candidates()):
            for trial in self._trials([c for c in candidates if _name(c) not in costs], is_over):
                costs[str(trial.trace)] = trial.examined.cost
                note(trial)
            if any(_name(each) not in costs for each in candidates):
                break  # it is over
            for each in candidates:
                _commit(
                    database, workload, context, each.sch.trace, costs[_name(each)], each.args_info
                )
            results = [RunnerResult([min(costs[_name(c)], FAILED_S)], None) for c in candidates]
            model.update(context, candidates, results)
            context.notify_runner_results(candidates, results)
        context.post_tuning()

    def _trials(
        self, candidates: Sequence[Any], is_over: Callable[[], bool]
    ) -> Iterator[AutoTrial]:
        """Of each candidate as soon as it is priced; fewer where the search is over meanwhile."""
        begun = {self._begin(each.sch.mod): each for each in candidates}
        for future in as_completed(begun):
            yield AutoTrial(trace_of(begun[future].sch), result_of(future))
            if is_over():
                return

    def _begin(self, module: tvm.IRModule) -> Future[Examined]:
        plain = tvm.ir.save_json(tvm.IRModule({"main": self._plain}))
        texts = (tvm.ir.save_json(module), plain, self._target.name, self._core.name)
        return self._pool.start(examine_scheduled, *texts)

    def _context(self) -> meta_schedule.TuneContext:
        with without_tensor_intrinsics():
            rules = [
                rule.ParallelizeVectorizeUnroll(-1, VECTOR_BYTES, UNROLLED_STEPS, True)
                if isinstance(each, rule.ParallelizeVectorizeUnroll)
                else each
                for each in meta_schedule.ScheduleRule.create("llvm")
            ]
            return meta_schedule.TuneContext(
                mod=tvm.IRModule({"main": self._plain}),
                target=tvm.target.Target({**self._target.tvm.export(), "num-cores": 1}),
                space_generator=meta_schedule.space_generator.PostOrderApply(
                    sch_rules=rules,
                    postprocs=meta_schedule.Postproc.create("llvm"),
                    mutator_probs=meta_schedule.Mutator.create("llvm"),
                ),
                search_strategy=meta_schedule.search_strategy.EvolutionarySearch(
                    population_size=POPULATION,
                    init_min_unmeasured=BATCH,
                    genetic_num_iters=GENERATIONS,
                ),
                task_name="kernel",
                rand_state=SEED,
                num_threads=2,
            )


def _name(candidate: Any) -> str:  # noqa: ANN401 (MetaSchedule's own)
    """The same for the same schedule."""
    return str(trace_of(candidate.sch))


def _commit(
    database: MemoryDatabase,
    workload: Workload,
    context: meta_schedule.TuneContext,
    trace: Trace,
    cost: float,
    arguments: Any,  # noqa: ANN401 (MetaSchedule's own)
) -> None:
    seconds = [min(cost, FAILED_S)]
    database.commit_tuning_record(TuningRecord(trace, workload, seconds, context.target, arguments))
