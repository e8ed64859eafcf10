"""MetaSchedule's own search over its own space of a kernel, priced on a modelled core.

The rules, mutators and postprocessors are those that it has for CPUs, without parallel loops and
with weights packed ahead; the search is evolutionary, with its XGBoost model. A population of 512,
its default, took 32 and 56 s to breed before the first two batches of a kernel (two shared cores,
2026-11-25), more than the whole search has here: `POPULATION` is bred in a few seconds.
"""

from __future__ import annotations

import functools
from concurrent.futures import Future, as_completed
from typing import Any

import numpy as np
import tvm
from tvm import tirx
from tvm.s_tir import meta_schedule
from tvm.s_tir.meta_schedule import schedule_rule as rule
from tvm.s_tir.meta_schedule.database import MemoryDatabase, TuningRecord
from tvm.s_tir.meta_schedule.runner import RunnerResult
from tvm.s_tir.transform import RemoveWeightLayoutRewriteBlock

from bench.race import Race
from bench.tensor_intrinsics import without_tensor_intrinsics
from compile.price_kernel import KernelPriceError, price_kernel
from compile.targets import CompileTarget, parse_target
from compile.tuning.candidate import (
    BUILD_ERRORS,
    MOST_ERROR,
    Examined,
    answer_here,
    difference,
    does_not_build,
    drawn_value,
    wrong_answer,
)
from compile.tuning.workers import WorkerPool, result_of
from deploy_rpc.cores import Core, find_core

POPULATION, GENERATIONS, BATCH = 64, 2, 4
VECTOR_BYTES = 64  # MetaSchedule's limits for CPUs, of unrolled steps too
UNROLLED_STEPS = [0, 16, 64, 512]
MOST_TRIALS = 100_000  # the clock ends the search
FAILED_S = 1e10  # MetaSchedule's own
SEED = 1


class AutoSearch:
    """The search for schedules of the unscheduled `plain` on `core`, priced in `pool`'s workers."""

    def __init__(
        self, plain: tirx.PrimFunc, target: CompileTarget, core: Core, pool: WorkerPool
    ) -> None:
        self._plain, self._target, self._core, self._pool = plain, target, core, pool

    def start_cost(self) -> float:
        """Cycles of the kernel as it is, without any schedule."""
        return result_of(self._begin(tvm.IRModule({"main": self._plain}))).cost

    def run(self, race: Race) -> None:
        """Searches until the time is up, or the space is exhausted.

        What the workers have not done by then is left to whoever closes their pool.
        """
        context = self._context()
        database, model = MemoryDatabase(), meta_schedule.cost_model.XGBModel(num_tuning_cores=2)
        workload = database.commit_workload(context.mod)
        spaces = context.generate_design_space()
        context.pre_tuning(MOST_TRIALS, BATCH, spaces, database, model)
        while not race.is_over and (candidates := context.generate_measure_candidates()):
            costs = self._costs(candidates, race)
            if race.is_over:
                break
            results = [RunnerResult([cost], None) for cost in costs]
            for candidate, result in zip(candidates, results, strict=True):
                database.commit_tuning_record(
                    TuningRecord(
                        candidate.sch.trace,
                        workload,
                        result.run_secs,
                        context.target,
                        candidate.args_info,
                    )
                )
            model.update(context, candidates, results)
            context.notify_runner_results(candidates, results)
        context.post_tuning()

    def _costs(self, candidates: list[Any], race: Race) -> list[float]:
        """Of each candidate, noted in `race` as soon as it is known; fewer when the time is up."""
        begun = [self._begin(each.sch.mod) for each in candidates]
        for future in as_completed(begun):
            race.note(result_of(future).cost)
            if race.is_over:
                break
        return [min(future.result().cost, FAILED_S) for future in begun if future.done()]

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


def examine_scheduled(scheduled: str, plain: str, target: str, core: str) -> Examined:
    """What the module `scheduled`, as JSON, is worth on modelled `core`, built for `target`.

    Answers are those of `plain` on this machine; weights are packed before the call that counts.
    """
    module = tvm.ir.load_json(scheduled)
    try:
        error = difference(_answer(module["main"], *_shapes(plain)), _expected(plain))
        if error > MOST_ERROR:
            return wrong_answer(error)
        packed = RemoveWeightLayoutRewriteBlock(skip_tensor_rewrite=True)(module)
        report = price_kernel(packed["main"], parse_target(target), find_core(core))
    except (*BUILD_ERRORS, KernelPriceError) as failure:
        return does_not_build(failure)
    return Examined("ok", (report.cycles,))


@functools.lru_cache(maxsize=2)
def _expected(plain: str) -> np.ndarray:
    return _answer(tvm.ir.load_json(plain)["main"], *_shapes(plain))


def _shapes(plain: str) -> list[tuple[int, ...]]:
    parameters = tvm.ir.load_json(plain)["main"].params
    return [tuple(int(extent) for extent in buffer.shape) for buffer in parameters]


def _answer(function: tirx.PrimFunc, *shapes: tuple[int, ...]) -> np.ndarray:
    return answer_here(function, [drawn_value(*each) for each in enumerate(shapes)])
