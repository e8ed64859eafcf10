"""The search: defaults first, every trial in the log, nothing lost by an interruption."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compile.lower import lower
from compile.passes.take_decisions import Decision
from compile.price_kernel import KernelPriceError
from compile.schedules.int8_workloads import Int8PointwiseWorkload
from compile.schedules.pointwise_tiles import accumulators
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.registers import accumulator_budget
from compile.schedules.spaces import space_of
from compile.schedules.templates import Made, Workload, made_by_default
from compile.targets import parse_target
from compile.tuning.candidate import MOST_ERROR, Examined, error_of, examine_candidate, with_tile
from compile.tuning.curve import draw_curve
from compile.tuning.decisions import key_of, ranked_records, tile_of
from compile.tuning.display import print_result
from compile.tuning.experience import Lesson
from compile.tuning.judge import Verdict
from compile.tuning.log import TuningLog
from compile.tuning.log_file import LogError
from compile.tuning.modelled import ModelledCore
from compile.tuning.search import LEAST_LEARNED, Model, proposed
from compile.tuning.task import Task, tasks_of
from compile.tuning.trial import Where
from compile.tuning.tuner import Progress, Step, Tuner
from compile.tuning.verify import faults_of
from deploy_rpc.block_counts import CountError
from deploy_rpc.block_prices import PriceError
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.cores import Core, find_core
from deploy_rpc.emulated_program import ProgramError
from tests.cores import A72, AVX512
from tests.needs import needs_cycle_model
from tests.running import output_of
from tests.small_networks import small_network
from tests.tuning_records import TILES, WORKLOAD, record

TARGET = parse_target("arm_cpu")
WHERE = Where(TARGET, "arm_cpu", BoardSpec("modelled", core="cortex-a72"), TARGET.core)
TASKS = tasks_of(lower(small_network(), "fused", TARGET))
POINTWISE = next(task for task in TASKS if task.made.template == "pointwise")


@pytest.fixture(scope="module")
def core() -> Iterator[ModelledCore]:
    with ModelledCore("arm_cpu", TARGET.core, 2) as modelled:
        yield modelled


@pytest.mark.parametrize("of_core", [A72, find_core("neoverse-n1"), AVX512])
@pytest.mark.parametrize("layout", ["planes", "channels"])
def test_a_space_begins_with_the_default_and_fits_the_registers(of_core: Core, layout: str) -> None:
    workload = PointwiseWorkload(3, 40, 80, 196, True, False, layout=layout)
    tiles = space_of(workload, of_core)
    assert tiles[0] == made_by_default(workload, of_core, 1).tile
    assert len(set(tiles)) == len(tiles) > 50
    for tile in tiles:
        used = accumulators(tile.rows, tile.vectors, tile.sharing)
        assert used <= accumulator_budget(of_core, tile.row_lanes)


@pytest.mark.parametrize("seed", range(3))
def test_a_network_with_any_decisions_gives_what_pytorch_gives(seed: int) -> None:
    network, chance = small_network(), random.Random(seed)

    def decide(workload: Workload) -> Decision:
        return Decision(chance.choice(space_of(workload, A72)), "tuned")

    lowered = lower(network, "tuned", TARGET, decisions=decide)
    assert {kernel.source for kernel in lowered.kernels} == {"tuned"}
    x = network.example_input()
    np.testing.assert_allclose(output_of(lowered, x), network.reference(x), rtol=1e-4, atol=1e-4)


def test_level_tuned_without_records_is_the_default() -> None:
    kernels = lower(small_network(), "tuned", TARGET, decisions=lambda workload: None)
    assert {kernel.source for kernel in kernels.kernels} == {"default"}


def test_only_the_fused_level_and_up_takes_decisions() -> None:
    def decide(workload: Workload) -> Decision:
        raise AssertionError("asked for a decision")

    lower(small_network(), "fused", TARGET, decisions=decide)


def test_the_model_ranks_after_it_has_learned() -> None:
    model, made = Model(A72), made_by_default(WORKLOAD, A72, 1)
    for tile in TILES[: LEAST_LEARNED - 1]:
        model.learn(with_tile(made, tile), 1.0)
    assert model.predict(made, TILES) is None
    for tile in TILES:
        model.learn(with_tile(made, tile), 0.5 if tile.peel else 2.0)
    costs = dict(zip(TILES, model.predict(made, TILES), strict=True))
    slowest_peeled = max(cost for tile, cost in costs.items() if tile.peel)
    assert slowest_peeled < min(cost for tile, cost in costs.items() if not tile.peel)


def test_proposals_are_untried_distinct_and_the_same_for_a_seed() -> None:
    model, made = Model(A72), made_by_default(WORKLOAD, A72, 1)
    for tile in TILES:
        model.learn(with_tile(made, tile), 1.0 + tile.k_unroll)
    first, again = (
        proposed(made, TILES, TILES[:10], model, 8, random.Random(seed)) for seed in (1, 1)
    )
    assert first == again
    assert len(set(first)) == 8
    assert set(first) <= set(TILES[10:])
    likeliest = min(tile.k_unroll for tile in TILES[10:])
    assert [tile.k_unroll for tile in first[:6]] == [likeliest] * 6


def test_what_is_like_the_best_tile_of_the_nearest_kernel_is_proposed_first() -> None:
    model, made = Model(A72), made_by_default(WORKLOAD, A72, 1)
    for tile in TILES:
        model.learn(with_tile(made, tile), 1.0 + tile.k_unroll)
    dearest = max(TILES[10:], key=lambda tile: (tile.k_unroll, tile.rows))
    unknown = dataclasses.replace(dearest, rows=dearest.rows + 1)
    for outputs, winner in ((16, unknown), (400, TILES[0])):
        other = dataclasses.replace(made, workload=dataclasses.replace(WORKLOAD, outputs=outputs))
        model.learn(with_tile(other, winner), 0.5)
    assert unknown not in TILES
    assert list(model.winners(made, TILES)) == [dearest, TILES[0]]
    for seed in range(5):
        assert dearest in proposed(made, TILES, TILES[:10], model, 4, random.Random(seed))
        others = proposed(made, TILES, [TILES[0], dearest], model, 4, random.Random(seed))
        assert len({*others, TILES[0], dearest}) == 6


def test_what_won_for_another_kernel_of_int8_comes_first_whose_bounds_are_below_zero() -> None:
    core = find_core("neoverse-n1").of("int8")
    workload = Int8PointwiseWorkload(2, 8, 12, 49, True, False, shift=4)
    made, space = made_by_default(workload, core, 1), space_of(workload, core)
    other = made_by_default(dataclasses.replace(workload, outputs=16), core, 1)
    winner = next(tile for tile in reversed(space) if tile not in (space[0], other.tile))
    model = Model(core)
    model.learn(with_tile(other, winner), 0.5)
    assert list(model.winners(made, space)) == [winner]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_tile_of_a_space_answers_alike(task: Task) -> None:
    """Tiles that pad weights, or compute some outputs twice, are no wrong answers."""
    tiles = random.Random(0).sample(task.space(AVX512), min(10, len(task.space(AVX512))))
    for tile in tiles:
        assert error_of(with_tile(task.made, tile), task.made) <= MOST_ERROR, tile


@needs_cycle_model
def test_a_right_candidate_has_cycles_and_a_wrong_one_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = made_by_default(WORKLOAD, A72, 1)
    right = examine_candidate(made, TILES[1], "arm_cpu", "cortex-a72")
    assert right.outcome == "ok"
    assert right.cost > WORKLOAD.macs / A72.macs_per_cycle
    monkeypatch.setattr("compile.tuning.candidate.error_of", lambda candidate, made: 0.5)
    wrong = examine_candidate(made, TILES[1], "arm_cpu", "cortex-a72")
    assert (wrong.outcome, wrong.samples) == ("wrong answer", ())


def test_a_candidate_that_tvm_refuses_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(candidate: object, made: object) -> None:
        raise RuntimeError("no such loop\nand a long story")

    monkeypatch.setattr("compile.tuning.candidate.error_of", refuse)
    examined = examine_candidate(made_by_default(WORKLOAD, A72, 1), TILES[1], "arm_cpu", "x")
    assert (examined.outcome, examined.reason) == ("does not build", "no such loop")


@needs_cycle_model
def test_what_a_search_ends_with_is_what_a_build_takes_and_is_all_in_the_log(
    tmp_path: Path, core: ModelledCore
) -> None:
    log, steps, scores = TuningLog(tmp_path / "net.jsonl"), [], []
    tuner = Tuner(TASKS, WHERE, core, log)

    def note(step: Step) -> None:
        steps.append(step)
        best = [(each, each.best_tiles(1)[0]) for each in tuner.progress]
        scores.append(sum(each.task.calls * each.scores[tile] for each, tile in best))

    tuner.run(20, note)
    assert steps[0].task == "defaults"
    assert scores == sorted(scores, reverse=True)
    records = log.read().records
    for each in tuner.progress:
        made = each.task.made
        key = key_of(made.template, made.workload, made.threads)
        right = [record for record in records if record.key == key and record.outcome == "ok"]
        least = min(record.score for record in right)
        taken = ranked_records(right)[key][0]
        assert (tile_of(taken), taken.score) == (each.best_tiles(1)[0], least)
    assert len(records) == steps[-1].trials <= 20
    assert {record.core for record in records} == {"cortex-a72"}
    assert {record.kind for record in records} == {"modelled"}


@needs_cycle_model
def test_an_interrupted_search_goes_on_where_it_was(tmp_path: Path, core: ModelledCore) -> None:
    log = TuningLog(tmp_path / "net.jsonl")
    tasks = TASKS

    def interrupt(step: Step) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Tuner(tasks, WHERE, core, log).run(20, interrupt)
    known = len(log.read().records)
    assert known == len(tasks)
    again = Tuner(tasks, WHERE, core, log)
    assert again.resume() == known
    again.run(4, lambda step: None)
    records = log.read().records
    assert known < len(records) <= known + 4
    assert len({(each.key, str(each.decisions)) for each in records}) == len(records)


def test_a_verdict_of_the_network_is_recorded_and_no_trial(tmp_path: Path) -> None:
    log, task = TuningLog(tmp_path / "net.jsonl"), TASKS[0]
    verdict = Verdict(task, task.made.tile, 3, (0.2, 0.1), (0.3, 0.4))
    tuner = Tuner(TASKS, WHERE, Priced(), log)
    tuner.take(verdict)
    (record,) = log.read().records
    assert (record.kind, record.samples, record.counters) == (
        "in network",
        (0.2, 0.1),
        {"tiles_judged": 3},
    )
    assert faults_of([record]) == [None]
    assert tuner.resume() == 0


def test_the_tiles_to_judge_are_those_near_the_best_and_the_default(tmp_path: Path) -> None:
    tuner = Tuner(TASKS, WHERE, Priced(), TuningLog(tmp_path / "net.jsonl"))
    tuner.run(len(TASKS) + 16, lambda step: None)
    dearest = max(tuner.progress, key=lambda each: each.task.calls * each.best_cost)
    contenders = tuner.contenders(2)
    assert contenders[0].task == dearest.task
    for each, progress in zip(contenders, tuner.dearest_first(), strict=True):
        assert progress.tried[each.tiles[0]] == progress.best_cost
        assert progress.task.made.tile in each.tiles
        assert len(each.tiles) <= 3


@pytest.mark.parametrize("error", [KernelPriceError, ProgramError, CountError, PriceError])
def test_a_candidate_that_has_no_price_is_an_outcome(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(kernel: object, target: object, core: object) -> None:
        raise error("no price")

    monkeypatch.setattr("compile.tuning.candidate.error_of", lambda candidate, made: 0.0)
    monkeypatch.setattr("compile.tuning.candidate.price_kernel", refuse)
    made = made_by_default(WORKLOAD, A72, 1)
    examined = examine_candidate(made, TILES[1], "arm_cpu", "cortex-a72")
    assert (examined.outcome, examined.samples, examined.reason) == (
        "does not build",
        (),
        "no price",
    )


@pytest.mark.parametrize("works", [True, False])
def test_a_kernel_whose_default_tile_fails_ends_no_search(
    works: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tuner = Tuner(TASKS, WHERE, Failing(works), TuningLog(tmp_path / "net.jsonl"))
    tuner.run(len(TASKS) + 60, lambda step: None)
    failing = next(each for each in tuner.progress if each.task.made == POINTWISE.made)
    assert len(failing.tried) >= LEAST_LEARNED
    assert (failing.best_cost < math.inf) == works
    assert any(len(each.tried) > 1 for each in tuner.progress if each != failing)
    assert all(math.isfinite(step.cost) for step in tuner.steps)
    judged = {each.task.name: each.tiles for each in tuner.contenders(2)}
    assert (failing.task.name in judged) == works
    assert failing.task.made.tile not in judged.get(failing.task.name, ())
    print_result(tuner, "s", A72)
    assert f"default tile fails: {failing.task.name}" in capsys.readouterr().out


def test_the_default_tile_of_each_kernel_is_tried_in_any_case(tmp_path: Path) -> None:
    tuner = Tuner(TASKS, WHERE, Priced(), TuningLog(tmp_path / "net.jsonl"))
    assert tuner.without_default == tuner.progress
    tuner.run(1, lambda step: None)
    assert tuner.steps[-1].trials == len(TASKS) > 1
    assert not tuner.without_default


def test_each_kernel_first_tries_what_is_best_for_the_one_most_like_it(tmp_path: Path) -> None:
    made = POINTWISE.made
    near, far = (
        dataclasses.replace(made, workload=dataclasses.replace(made.workload, outputs=outputs))
        for outputs in (2 * made.workload.outputs, 40 * made.workload.outputs)
    )
    first, second = POINTWISE.space(A72)[5], POINTWISE.space(A72)[6]
    lessons = [Lesson(with_tile(far, second), A72, 0.5), Lesson(with_tile(near, first), A72, 0.9)]
    log = TuningLog(tmp_path / "net.jsonl")
    tuner = Tuner([POINTWISE], WHERE, Priced(), log, lessons)
    tuner.run(3, lambda step: None)
    assert [tile_of(record) for record in log.read().records] == [made.tile, first, second]


def test_misses_decide_between_tiles_that_are_alike() -> None:
    progress = Progress(POINTWISE, POINTWISE.space(A72))
    for tile, cycles, misses in ((TILES[0], 1000.0, 500), (TILES[1], 1050.0, 100)):
        progress.take(tile, record(0, cycles, counters={"l1_misses": misses}))
    assert progress.best_tiles(1)[0] == TILES[1]
    assert progress.best_cost == 1050.0


def test_a_kernel_whose_misses_fell_draws_no_more_trials_than_one_that_costs_as_much(
    tmp_path: Path,
) -> None:
    other = next(task for task in TASKS if task.made.template == "window")
    tasks = [dataclasses.replace(task, calls=1) for task in (POINTWISE, other)]
    tuner = Tuner(tasks, WHERE, MissesFall(), TuningLog(tmp_path / "net.jsonl"))
    tuner.run(60, lambda step: None)
    fell, same = tuner.progress
    assert fell.best_cost == fell.default_cost == same.best_cost
    assert fell.best_score == same.best_score < fell.default_score
    assert len(fell.tried) <= len(same.tried) + 2 * MissesFall.batch


class Priced:
    """An examiner by a rule: small unrolls are cheap."""

    kind, unit, batch = "measured", "s", 8

    def examine(self, pairs: Sequence[tuple[Made, Any]]) -> Iterator[tuple[int, Examined]]:
        for index, (made, tile) in enumerate(pairs):
            seconds = made.workload.macs * getattr(tile, "k_unroll", 1) * 1e-9 + 1e-6
            yield index, Examined("ok", (seconds,))


class MissesFall:
    """An examiner to whom all tiles cost the same, but `POINTWISE` by default misses L1 at each
    cycle."""

    kind, unit, batch = "modelled", "cycles", 4

    def examine(self, pairs: Sequence[tuple[Made, Any]]) -> Iterator[tuple[int, Examined]]:
        for index, (made, tile) in enumerate(pairs):
            misses = 10**6 * (made == POINTWISE.made and tile == made.tile)
            yield index, Examined("ok", (1e6,), {"l1_misses": misses})


class Failing(Priced):
    """The same, where the default tile of `POINTWISE` fails, and, unless it `works`, all others."""

    def __init__(self, works: bool) -> None:
        self._works = works

    def examine(self, pairs: Sequence[tuple[Made, Any]]) -> Iterator[tuple[int, Examined]]:
        for index, examined in super().examine(pairs):
            made, tile = pairs[index]
            fails = made == POINTWISE.made and (tile == made.tile or not self._works)
            yield index, Examined("does not build") if fails else examined


@needs_cycle_model
def test_a_log_that_cannot_be_written_ends_the_search(
    tmp_path: Path, core: ModelledCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = TuningLog(tmp_path / "net.jsonl")

    def full(records: object) -> None:
        raise LogError("No space left on device")

    monkeypatch.setattr(log, "append", full)
    tuner = Tuner(TASKS, WHERE, core, log)
    with pytest.raises(LogError, match="No space"):
        tuner.run(20, lambda step: None)


def test_the_curve_is_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "curve.png"
    steps = [Step("defaults", 5, 1.0, 4e7), Step("head", 13, 3.0, 3.9e7)]
    assert draw_curve(steps, "cycles", "net on modelled:cortex-a72", path)
    assert path.read_bytes().startswith(b"\x89PNG")
