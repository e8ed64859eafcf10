"""Our spaces and MetaSchedule's: the same kernels, both right, and late trials count not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import tvm

from bench import auto_search, race
from bench.auto_search import AutoSearch, examine_scheduled
from bench.plain_kernels import KERNELS, WEIGHTS, PlainKernel, plain_kernel
from bench.race import Race
from bench.tuning import measure_spaces, search_template, spaces_table
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.templates import Convolution, made_by_default
from compile.schedules.window import WindowWorkload
from compile.targets import parse_target
from compile.tuning.candidate import answer_here, difference
from compile.tuning.trial import Where
from compile.tuning.workers import WorkerPool
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.cycles import missing_modelling_tools
from tests.cores import A72

TARGET = parse_target("cortex-a72")
BOARD = BoardSpec("modelled", core="cortex-a72")
TINY = PointwiseWorkload(2, 4, 4, 16, relu=True, shortcut=True)
SMALL_WINDOW = WindowWorkload("conv", 2, 3, 2, (6, 6), (3, 3), 2, (1, 1), relu=True)
needs_a_model = pytest.mark.skipif(
    bool(missing_modelling_tools()), reason="; ".join(missing_modelling_tools())
)


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    workers = WorkerPool(1, "bench.auto_search")
    yield workers
    workers.close()


@pytest.mark.parametrize("workload", [TINY, SMALL_WINDOW])
def test_the_plain_kernel_computes_what_the_template_does(workload: Convolution) -> None:
    plain = plain_kernel(workload)
    chance = np.random.default_rng(0)
    values = [
        chance.standard_normal([int(extent) for extent in buffer.shape]).astype("float32")
        for buffer in plain.params
    ]
    made = made_by_default(workload, A72, 1)
    packed = [made.packed(value) if at == WEIGHTS else value for at, value in enumerate(values)]
    shapes = [[int(extent) for extent in buffer.shape] for buffer in made.kernel().params]
    packed = [
        np.ascontiguousarray(value).reshape(shape)
        for value, shape in zip(packed, shapes, strict=True)
    ]
    expected = answer_here(made.kernel(), packed)
    assert difference(answer_here(plain, values).reshape(expected.shape), expected) < 1e-6


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda each: each.name)
def test_every_kernel_has_the_multiply_adds_of_its_template(kernel: PlainKernel) -> None:
    *_, outputs, inputs, rows, columns = plain_kernel(kernel.workload).params[WEIGHTS].shape
    pixels = plain_kernel(kernel.workload).params[-1].shape[2:]
    counted = outputs * inputs * rows * columns * pixels[0] * pixels[1]
    assert int(counted) == kernel.workload.macs


def test_a_trial_that_comes_late_counts_not(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([1.0, 1.0, 5.0, 5.0, 11.0])
    monkeypatch.setattr(race.time, "monotonic", lambda: next(clock))
    run = Race(10.0, 100.0, begun=0.0)
    for cost in (80.0, 60.0, 1.0):
        run.note(cost)
    assert (run.best, run.best_at) == (60.0, 5.0)
    assert run.trials == [(1.0, 80.0), (5.0, 60.0)]


def test_what_is_no_better_than_the_start_leaves_the_start() -> None:
    run = Race(10.0, 100.0, [(1.0, 120.0), (2.0, float("inf"))])
    assert (run.best, run.best_at) == (100.0, 0.0)


@needs_a_model
def test_a_schedule_that_answers_wrong_has_no_price() -> None:
    right = tvm.IRModule({"main": plain_kernel(TINY)})
    without_relu = PointwiseWorkload(2, 4, 4, 16, relu=False, shortcut=True)
    wrong = tvm.IRModule({"main": plain_kernel(without_relu)})
    texts = tvm.ir.save_json(right), "cortex-a72", "cortex-a72"
    assert examine_scheduled(tvm.ir.save_json(wrong), *texts).outcome == "wrong answer"
    assert examine_scheduled(texts[0], *texts).outcome == "ok"


@needs_a_model
def test_metaschedule_finds_schedules_that_are_right(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto_search, "POPULATION", 8)
    monkeypatch.setattr(auto_search, "GENERATIONS", 1)
    monkeypatch.setattr(auto_search, "MOST_TRIALS", 4)
    search = AutoSearch(plain_kernel(TINY), TARGET, A72, pool)
    run = Race(600.0, search.start_cost())
    search.run(run)
    assert len(run.trials) == 4
    assert all(cost < float("inf") for _, cost in run.trials)


@needs_a_model
def test_our_search_ends_before_its_time_in_a_small_space() -> None:
    kernel = PlainKernel("tiny", PointwiseWorkload(1, 1, 4, 4, relu=True, shortcut=False))
    run = search_template(kernel, Where(TARGET, "cortex-a72", BOARD, A72), 600.0)
    assert run.trials
    assert run.best <= run.start_cost
    assert not run.is_over


@needs_a_model
def test_a_kernel_has_a_row_for_each_space() -> None:
    rows = list(measure_spaces(TARGET, BOARD, 0.0, [PlainKernel("tiny", TINY)]))
    assert [(row["space"], row["trials"], row["kind"]) for row in rows] == [
        ("template", 0, "modelled"),
        ("auto", 0, "modelled"),
    ]
    assert spaces_table(rows).row_count == 2
