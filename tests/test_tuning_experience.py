"""Records of other logs teach the model what tiles cost, as shares of the default tile's cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from compile.schedules.templates import made_by_default
from compile.tuning.candidate import with_tile
from compile.tuning.experience import Lesson, counted, lessons_of
from compile.tuning.log import TuningLog
from compile.tuning.search import LEAST_LEARNED, Model
from deploy_rpc.cores import find_core
from tests.cores import A72
from tests.tuning_records import TILES, WORKLOAD, record

DEFAULT = made_by_default(WORKLOAD, A72, 1)


def saved(path: Path, *records: object) -> Path:
    TuningLog(path).append(records)
    return path


def test_costs_are_shares_of_the_default_tile_of_the_same_core_and_unit(tmp_path: Path) -> None:
    there = {"kind": "measured", "unit": "s", "board": "local"}
    saved(tmp_path / "a.jsonl", record(0, 100.0), record(1, 50.0), record(0, 4.0, **there))
    saved(tmp_path / "b.jsonl", record(2, 6.0, **there), record(0, 8.0, **there))
    lessons = lessons_of([tmp_path, tmp_path], tmp_path / "own.jsonl")
    expected = [(0, 1.0), (1, 0.5), (0, 1.0), (2, 0.75), (0, 1.0)]
    assert lessons == [Lesson(with_tile(DEFAULT, TILES[i]), A72, cost) for i, cost in expected]
    assert counted(lessons) == "5 records (cortex-a72 5)"


def test_what_does_not_compare_teaches_nothing(tmp_path: Path) -> None:
    own = saved(tmp_path / "own.jsonl", record(0), record(1))
    wrong = record(1, outcome="wrong answer", samples=())
    unknown = [record(index, core="cortex-m0") for index in (0, 1)]
    without_default = record(1, core="neoverse-n1")
    former = record(1, template_version=0)
    others = (record(0), wrong, *unknown, without_default, former)
    saved(tmp_path / "other.jsonl", *others)
    assert [lesson.cost for lesson in lessons_of([tmp_path], own)] == [1.0]
    assert counted([]) == "no record"


def test_a_model_predicts_before_the_first_trial_from_records_of_another_core() -> None:
    model, n1 = Model(A72), find_core("neoverse-n1")
    for tile in TILES[:LEAST_LEARNED]:
        model.learn(with_tile(DEFAULT, tile), 0.5 if tile.peel else 2.0, n1)
    costs = model.predict(DEFAULT, TILES)
    peeled = np.array([tile.peel for tile in TILES])
    assert costs[peeled].max() < costs[~peeled].min()
