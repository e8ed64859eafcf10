"""Our spaces and MetaSchedule's: the same kernels, the same time, and late trials count not."""

from __future__ import annotations

import pytest

from bench import race
from bench.plain_kernels import KERNELS, PlainKernel
from bench.race import Race
from bench.tuning import measure_spaces, search_template, spaces_table
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.targets import parse_target
from compile.tuning.plain_kernel import WEIGHTS, plain_kernel
from compile.tuning.trial import Where
from deploy_rpc.board_spec import BoardSpec
from tests.cores import A72
from tests.needs import needs_cycle_model

TARGET = parse_target("cortex-a72")
BOARD = BoardSpec("modelled", core="cortex-a72")
TINY = PointwiseWorkload(2, 4, 4, 16, relu=True, shortcut=True)


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


@needs_cycle_model
def test_our_search_ends_before_its_time_in_a_small_space() -> None:
    kernel = PlainKernel("tiny", PointwiseWorkload(1, 1, 4, 4, relu=True, shortcut=False))
    run = search_template(kernel, Where(TARGET, "cortex-a72", BOARD, A72), 600.0)
    assert run.trials
    assert run.best <= run.start_cost
    assert not run.is_over


@needs_cycle_model
def test_a_kernel_has_a_row_for_each_space() -> None:
    rows = list(measure_spaces(TARGET, BOARD, 0.0, [PlainKernel("tiny", TINY)]))
    assert [(row["space"], row["trials"], row["kind"]) for row in rows] == [
        ("template", 0, "modelled"),
        ("auto", 0, "modelled"),
    ]
    assert spaces_table(rows).row_count == 2
