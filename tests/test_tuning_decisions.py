"""A record decides for its own core, and for another one only where that is said."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest

from compile.lower import lower
from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.spaces import space_of
from compile.targets import parse_target
from compile.tuning.decisions import is_default, plain, recorded_decisions, workload_fields
from compile.tuning.log import TuningLog
from compile.tuning.log_cores import core_named
from compile.tuning.log_file import LogError
from deploy_rpc.cores import find_core
from tests.cores import A72
from tests.running import output_of
from tests.small_networks import small_network
from tests.tuning_records import TILES, WORKLOAD, record

A72_FOLDER = "cortex-a72"


def decided(folder: Path, core: str = "cortex-a72") -> object:
    return recorded_decisions(folder, find_core(core))(WORKLOAD)


def save(folder: Path, *records: object, core: str = A72_FOLDER) -> None:
    (folder / core).mkdir(exist_ok=True)
    TuningLog(folder / core / "net.jsonl").append(records)


def test_the_fastest_right_answer_decides(tmp_path: Path) -> None:
    wrong = record(3, outcome="wrong answer", samples=())
    save(tmp_path, record(1, 20.0), record(2, 10.0), wrong)
    decision = decided(tmp_path)
    assert decision.tile == TILES[2]
    assert decision.source == "tuned"


def test_misses_decide_between_tiles_of_almost_as_many_modelled_cycles(tmp_path: Path) -> None:
    many, few = {"counters": {"l1_misses": 500}}, {"counters": {"l1_misses": 100}}
    save(tmp_path, record(1, 1000.0, **many), record(2, 1199.0, **few))
    assert decided(tmp_path).tile == TILES[2]
    save(tmp_path, record(3, 998.0, **many))
    assert decided(tmp_path).tile == TILES[3]


def test_the_digests_are_of_the_logs_as_they_were_read(tmp_path: Path) -> None:
    save(tmp_path, record(1, 20.0))
    before = (tmp_path / A72_FOLDER / "net.jsonl").read_bytes()
    decisions = recorded_decisions(tmp_path, find_core("cortex-a72"))
    save(tmp_path, record(2, 10.0))  # a search goes on meanwhile
    assert decisions.digests == {"cortex-a72/net.jsonl": hashlib.sha256(before).hexdigest()}
    assert decisions(WORKLOAD).tile == TILES[1]


def test_a_measured_time_counts_before_a_modelled_one(tmp_path: Path) -> None:
    measured = record(1, 5.0, kind="measured", unit="s", board="rpc://127.0.0.1:9090")
    save(tmp_path, record(2, 1.0), measured)
    assert decided(tmp_path).tile == TILES[1]


def test_what_won_in_a_network_counts_before_all_and_the_newest_verdict_first(
    tmp_path: Path,
) -> None:
    there = {"unit": "s", "board": "local"}
    verdict = {**there, "kind": "in network"}
    older = record(1, 2e-3, **verdict, date="2026-11-24T12:00:00Z")
    newer = record(2, 3e-3, **verdict, date="2026-11-25T12:00:00Z")
    save(tmp_path, newer, older, record(3, 1e-6, kind="measured", **there))
    assert decided(tmp_path).tile == TILES[2]


def test_a_record_never_applies_silently_to_another_core(tmp_path: Path) -> None:
    save(tmp_path, record(1))
    assert decided(tmp_path, "neoverse-n1") is None
    assert decided(tmp_path, "cortex-a73").source == "tuned for cortex-a72"


def test_a_cores_own_record_comes_before_a_faster_one_of_its_fallback(tmp_path: Path) -> None:
    save(tmp_path, record(1, 1.0))
    save(tmp_path, record(2, 9.0, core="cortex-a73"), core="cortex-a73")
    decision = decided(tmp_path, "cortex-a73")
    assert (decision.tile, decision.source) == (TILES[2], "tuned")


def test_records_of_one_thread_alone_decide_for_any_number(tmp_path: Path) -> None:
    save(tmp_path, record(2, 1.0, threads=2))
    assert decided(tmp_path) is None
    save(tmp_path, record(1, 9.0))
    assert decided(tmp_path).tile == TILES[1]


def test_a_network_answers_alike_to_the_bit_on_one_thread_and_on_two(tmp_path: Path) -> None:
    network, target = small_network(), parse_target("cortex-a72")
    head = DenseWorkload(10, 24, relu=False, pixels=36)
    default, *others = space_of(head, A72)
    tile = next(each for each in others if each.sums != default.sums)
    fields = {"template": "dense", "workload": workload_fields(head)}
    save(tmp_path, record(**fields, decisions=plain(dataclasses.asdict(tile))))
    decisions = recorded_decisions(tmp_path, A72)
    tuned = [
        lower(network, "tuned", target, threads=threads, decisions=decisions) for threads in (1, 2)
    ]
    assert all(each.takes_records for each in tuned)
    one, two = (output_of(each, network.example_input()) for each in tuned)
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    "unusable",
    [
        {"template_version": 0},
        {"decisions": {**record(1).decisions, "rows": 31}},
        {"decisions": {**record(1).decisions, "rows": [4]}},
    ],
)
def test_a_record_that_is_of_no_use_hides_none_that_is(
    tmp_path: Path, unusable: dict[str, object]
) -> None:
    save(tmp_path, record(1, 10.0, **unusable), record(2, 20.0), record(3, 30.0))
    assert decided(tmp_path).tile == TILES[2]


def test_records_of_one_number_format_say_nothing_of_another(tmp_path: Path) -> None:
    half = dataclasses.replace(WORKLOAD, dtype="float16")
    n1 = find_core("neoverse-n1")
    single_tile, half_tile = space_of(WORKLOAD, n1)[1], space_of(half, n1)[1]
    of_n1 = {"core": "neoverse-n1"}
    single = record(1, decisions=plain(dataclasses.asdict(single_tile)), **of_n1)
    save(tmp_path, single, core="neoverse-n1")
    assert recorded_decisions(tmp_path, n1)(half) is None
    fields = workload_fields(half)
    of_half = record(2, workload=fields, decisions=plain(dataclasses.asdict(half_tile)), **of_n1)
    save(tmp_path, of_half, core="neoverse-n1")
    assert recorded_decisions(tmp_path, n1)(half).tile == half_tile
    assert recorded_decisions(tmp_path, n1)(WORKLOAD).tile == single_tile


def test_a_decision_that_came_to_the_template_since_has_its_default(tmp_path: Path) -> None:
    older = record(1).decisions
    assert older.pop("groups_inner") is False
    save(tmp_path, record(1, decisions=older))
    assert decided(tmp_path).tile == TILES[1]


@pytest.mark.parametrize(
    "changed",
    [
        {"template_version": 0},
        {"decisions": {"vectors": 1}},
        {"decisions": {**record(1).decisions, "unknown": 1}},
        {"decisions": {**record(1).decisions, "rows": 31}},
        {"decisions": {**record(1).decisions, "rows": "4"}},
        {"decisions": {**record(1).decisions, "rows": 4.0}},
        {"decisions": {**record(1).decisions, "rows": [4]}},
        {"decisions": {**record(1).decisions, "peel": 1}},
        {"space": "auto", "decisions": {"trace": []}},
    ],
)
def test_what_the_template_no_longer_has_does_not_count(
    tmp_path: Path, changed: dict[str, object]
) -> None:
    save(tmp_path, record(1, **changed))
    assert decided(tmp_path) is None


def test_an_x86_host_takes_the_records_of_its_kind_and_says_whose(tmp_path: Path) -> None:
    host, tile = core_named("x86_64-znver2"), space_of(WORKLOAD, core_named("x86_64-haswell"))[1]
    fields = plain(dataclasses.asdict(tile))
    haswell = record(core="x86_64-haswell", decisions=fields)
    save(tmp_path, haswell, core="x86_64-haswell")
    save(tmp_path, record(core="x86_64-skylake-avx512"), core="x86_64-skylake-avx512")
    decision = recorded_decisions(tmp_path, host)(WORKLOAD)
    assert (decision.tile, decision.source) == (tile, "tuned for x86_64-haswell")


def test_a_record_of_the_avx2_level_decides_where_no_other_does_and_its_source_says_so(
    tmp_path: Path,
) -> None:
    level, zen3 = core_named("x86_64-x86-64-v3"), core_named("x86_64-znver3")
    first, second = (plain(dataclasses.asdict(tile)) for tile in space_of(WORKLOAD, level)[1:3])
    save(tmp_path, record(core="x86_64-x86-64-v3", decisions=first), core="x86_64-x86-64-v3")
    decision = recorded_decisions(tmp_path, zen3)(WORKLOAD)
    assert decision.source == "tuned for x86_64-x86-64-v3"
    assert recorded_decisions(tmp_path, core_named("x86_64-znver4"))(WORKLOAD) is None
    save(tmp_path, record(core="x86_64-haswell", decisions=second), core="x86_64-haswell")
    assert recorded_decisions(tmp_path, zen3)(WORKLOAD).source == "tuned for x86_64-haswell"
    assert recorded_decisions(tmp_path, level)(WORKLOAD).source == "tuned"


def test_the_default_tile_is_known_among_records() -> None:
    assert is_default(record(0))
    assert not is_default(record(1))
    assert not is_default(record(0, core="cortex-m0"))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="nowhere"):
        recorded_decisions(tmp_path / "nowhere", find_core("cortex-a72"))
