"""A record decides for its own core, and for another one only where that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from compile.tuning.decisions import recorded_decisions
from compile.tuning.log import LogError, TuningLog
from deploy_rpc.cores import find_core
from tests.tuning_records import TILES, WORKLOAD, record

A72_FOLDER = "cortex-a72"


def decided(folder: Path, core: str = "cortex-a72") -> object:
    return recorded_decisions(folder, find_core(core))(WORKLOAD, 1)


def save(folder: Path, *records: object, core: str = A72_FOLDER) -> None:
    (folder / core).mkdir(exist_ok=True)
    TuningLog(folder / core / "net.jsonl").append(records)


def test_the_fastest_right_answer_decides(tmp_path: Path) -> None:
    wrong = record(3, outcome="wrong answer", samples=())
    save(tmp_path, record(1, 20.0), record(2, 10.0), wrong)
    decision = decided(tmp_path)
    assert decision.tile == TILES[2]
    assert decision.source == "tuned"


def test_a_measured_time_counts_before_a_modelled_one(tmp_path: Path) -> None:
    measured = record(1, 5.0, kind="measured", unit="s", board="rpc://127.0.0.1:9090")
    save(tmp_path, record(2, 1.0), measured)
    assert decided(tmp_path).tile == TILES[1]


def test_a_record_never_applies_silently_to_another_core(tmp_path: Path) -> None:
    save(tmp_path, record(1))
    assert decided(tmp_path, "neoverse-n1") is None
    assert decided(tmp_path, "cortex-a73").source == "tuned for cortex-a72"


def test_a_cores_own_record_comes_before_a_faster_one_of_its_fallback(tmp_path: Path) -> None:
    save(tmp_path, record(1, 1.0))
    save(tmp_path, record(2, 9.0, core="cortex-a73"), core="cortex-a73")
    decision = decided(tmp_path, "cortex-a73")
    assert (decision.tile, decision.source) == (TILES[2], "tuned")


def test_other_threads_are_another_kernel(tmp_path: Path) -> None:
    save(tmp_path, record(1))
    assert recorded_decisions(tmp_path, find_core("cortex-a72"))(WORKLOAD, 2) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"template_version": 0},
        {"decisions": {**record(1).decisions, "unknown": 1}},
        {"decisions": {**record(1).decisions, "rows": 31}},
        {"space": "auto", "decisions": {"trace": []}},
    ],
)
def test_what_the_template_no_longer_has_does_not_count(
    tmp_path: Path, changed: dict[str, object]
) -> None:
    save(tmp_path, record(1, **changed))
    assert decided(tmp_path) is None


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="nowhere"):
        recorded_decisions(tmp_path / "nowhere", find_core("cortex-a72"))
