"""The best tiles of a kernel are judged in the network, where the first stays by default."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from compile.lower import Lowered, lower
from compile.passes.take_decisions import Decisions
from compile.targets import host_target
from compile.tuning.judge import LOADS, MOST_CHANCE, TRIES, Contenders, Judge, Verdict, winner
from compile.tuning.task import Task, tasks_of
from compile.verify import VerificationError
from deploy_rpc.board_spec import BoardError, parse_board
from tests.small_networks import small_network

LOAD_EFFECT, NOISE = 0.01, 0.003  # of a time: of a load while it lasts, of each inference
FUSED = lower(small_network(), "fused", host_target())
TASKS = [task for task in tasks_of(FUSED) if len(task.space(FUSED.target.core)) > 2]
FIRST, SECOND = (Contenders(task, tuple(task.space(FUSED.target.core)[:2])) for task in TASKS[:2])


def judged(said: list[str] | None = None) -> list[Verdict]:
    say = [].append if said is None else said.append
    judge = Judge(FUSED, parse_board("local"), 60, say)
    alone = Contenders(TASKS[0], FIRST.tiles[:1])
    return list(judge.verdicts([FIRST, SECOND, alone]))


class LoadedSomewhere:
    """A stand-in for a module that is slower by some 1 %, as its pages lie, while it is loaded."""

    def __init__(self, ms: float, chance: np.random.Generator) -> None:
        self._ms, self._chance = ms * (1 + chance.normal(0, LOAD_EFFECT)), chance

    def time_ms(self, x: object, *, repeats: int, warmup: int) -> list[float]:
        return list(self._ms * (1 + self._chance.normal(0, NOISE, repeats)))


def switches(
    monkeypatch: pytest.MonkeyPatch, tiles_ms: Sequence[float], kernels: int
) -> Counter[int]:
    """How often each tile won, of `kernels` that were judged between tiles of `tiles_ms`."""
    chance = np.random.default_rng(0)

    @contextlib.contextmanager
    def session(*arguments: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(
            load=lambda path, **how: LoadedSomewhere(tiles_ms[int(path.stem)], chance)
        )

    monkeypatch.setattr("compile.tuning.judge._session", session)
    monkeypatch.setattr("compile.tuning.judge.verify", lambda *what, **how: None)
    judge = Judge(FUSED, parse_board("local"), 60, print)
    libraries = {index: Path(f"{index}.so") for index in range(len(tiles_ms))}
    return Counter(winner(judge._times(libraries)) for _ in range(kernels))


def test_equal_tiles_seldom_win_by_the_places_where_they_were_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernels = 600
    won = switches(monkeypatch, [2.0] * 4, kernels)
    assert kernels - won[0] <= 2 * MOST_CHANCE * kernels  # 12; 6 are to be expected at most


def test_a_tile_that_is_3_percent_faster_wins_wherever_it_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert switches(monkeypatch, [2.0, 2.0, 1.94, 2.0], 100)[2] >= 95


def test_each_tile_is_loaded_first_as_often_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    firsts: Counter[int] = Counter()

    def medians(self: Judge, session: object, libraries: Mapping[int, Path]) -> dict[int, float]:
        firsts[next(iter(libraries))] += 1
        return dict.fromkeys(libraries, 1.0)

    monkeypatch.setattr(Judge, "_medians", medians)
    judge = Judge(FUSED, parse_board("local"), 60, print)
    judge._times({index: Path() for index in range(4)})
    assert firsts == dict.fromkeys(range(4), LOADS // 4)


def test_what_differs_by_more_than_chance_wins() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, (2, LOADS))
    assert winner({0: 1 + noise[0], 1: 0.98 + noise[1], 2: 0.99 + noise[0]}) == 1
    assert winner({0: 1 + noise[0], 1: 1.02 + noise[1]}) == 0


def test_chance_changes_nothing() -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, (2, LOADS))
    assert winner({0: 1 + noise[0], 1: 0.9999 + noise[1]}) == 0
    assert winner({0: [1.0] * LOADS, 1: [1.0] * LOADS}) == 0


def test_every_kernel_with_a_choice_gets_a_verdict_of_whole_inferences() -> None:
    verdicts = judged()
    assert [verdict.task for verdict in verdicts] == TASKS[:2]
    for verdict, contenders in zip(verdicts, (FIRST, SECOND), strict=True):
        assert verdict.tile in contenders.tiles
        assert verdict.judged == 2
        assert len(verdict.seconds) == len(verdict.seconds_before) == LOADS


def test_a_verdict_holds_for_the_next_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[tuple[object, object]] = []

    def redecided(fused: Lowered, decide: Decisions) -> Lowered:
        tiles = [decide(each.task.made.workload).tile for each in (FIRST, SECOND)]
        built.append(tuple(tiles))
        return fused

    def times(modules: Mapping[int, object], x: object, rounds: int) -> dict[int, list[float]]:
        return {index: [2.0 - index] * rounds for index in modules}

    monkeypatch.setattr("compile.tuning.judge.redecided", redecided)
    monkeypatch.setattr("compile.tuning.judge.interleaved_times_ms", times)
    assert [verdict.tile for verdict in judged()] == [FIRST.tiles[1], SECOND.tiles[1]]
    (first, other), (second, another) = FIRST.tiles, SECOND.tiles
    assert built == [(first, second), (other, second), (other, second), (other, another)]


def test_a_tile_that_is_wrong_in_the_network_cannot_win(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def verify(*arguments: object, **more: object) -> None:
        asked.append("")
        if len(asked) % (LOADS + 1) == 2:  # the other tile, which is not loaded again
            raise VerificationError("wrong by far")

    monkeypatch.setattr("compile.tuning.judge.verify", verify)
    said: list[str] = []
    assert [verdict.judged for verdict in judged(said)] == [1, 1]
    assert said == ["in the network: wrong by far"] * 2


def test_a_board_that_fails_is_tried_again_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(self: Judge, session: object, libraries: Mapping[int, Path]) -> None:
        raise BoardError("gone")

    monkeypatch.setattr("compile.tuning.judge.PAUSE_S", 0.0)
    monkeypatch.setattr(Judge, "_medians", fails)
    said: list[str] = []
    with pytest.raises(BoardError, match="gone"):
        judged(said)
    assert said == ["in the network: gone"] * (TRIES - 1)


def test_a_verdict_says_whether_something_changed() -> None:
    task: Task = TASKS[0]
    stays = Verdict(task, FIRST.tiles[0], 2, (0.002,), (0.002,))
    changes = Verdict(task, FIRST.tiles[1], 2, (0.001,), (0.002,))
    assert str(stays) == f"{task.name}: of 2 tiles the best alone stays, 2.000 ms"
    assert str(changes) == f"{task.name}: another of 2 tiles, 2.000 -> 1.000 ms"
