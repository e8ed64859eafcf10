"""Candidates of int8 answer as whole numbers say, to the bit, before their cycles count."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compile.schedules import int8_gemm
from compile.schedules.int8_tiles import ACCUMULATORS
from compile.schedules.int8_workloads import (
    Int8DenseWorkload,
    Int8PointwiseWorkload,
    Int8WindowWorkload,
)
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.spaces import space_of
from compile.schedules.templates import Made, made_by_default
from compile.tuning.candidate import error_in_integers, examine_candidate, inputs_of, with_tile
from compile.tuning.decisions import key_of, workload_fields
from compile.tuning.integers import (
    LARGEST_MULTIPLIER,
    drawn_integers,
    integer_answer,
    of_integers,
    right_integers,
)
from compile.tuning.verify import faults_of
from deploy_rpc.cores import find_core
from deploy_rpc.emulated_program import ProgramError
from tests.cores import A72
from tests.needs import needs_cycle_model
from tests.tuning_records import WORKLOAD, record

N1 = find_core("neoverse-n1")
W = partial(Int8WindowWorkload, "conv", shift=4)
WORKLOADS: dict[str, Any] = {
    "pointwise": Int8PointwiseWorkload(2, 10, 12, 49, True, True, shift=4, shuffle_rows=2),
    "in place": Int8PointwiseWorkload(2, 8, 12, 49, True, True, shift=4, in_place=True),
    "depthwise": W(6, 1, 1, (14, 14), (3, 3), 1, (1, 1), zero=-128),
    "stem": W(1, 8, 3, (32, 32), (3, 3), 2, (1, 1), relu=True, picture_scale=40.0, zero=3),
    "dense": Int8DenseWorkload(40, 30, False, 9, shift=4),
}


def default(name: str) -> Made:
    return made_by_default(WORKLOADS[name], N1, 1)


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_space_begins_with_the_default_and_fits_the_registers(name: str) -> None:
    made, tiles = default(name), space_of(WORKLOADS[name], N1)
    assert tiles[0] == made.tile
    assert len(set(tiles)) == len(tiles) > 1
    for tile in tiles:
        sums = getattr(tile, "rows", 1) * getattr(tile, "vectors", 2)
        assert sums <= ACCUMULATORS["sdot"]


def test_what_is_in_place_has_no_tiles_that_compute_a_value_twice() -> None:
    tiles = space_of(WORKLOADS["in place"], N1)
    assert all(8 % tile.rows == 0 and tile.pixels >= 49 for tile in tiles)


def test_tiles_of_a_dense_layer_need_the_same_biases() -> None:
    made = default("dense")
    shapes = {
        tuple(int(n) for n in with_tile(made, tile).kernel().params[2].shape)
        for tile in space_of(made.workload, N1)
    }
    assert len(shapes) == 1


@pytest.mark.parametrize("name", WORKLOADS)
def test_most_results_stay_within_int8_and_depend_on_no_tile(name: str) -> None:
    made = default(name)
    other = with_tile(made, space_of(made.workload, N1)[-1])
    answers = [integer_answer(each, drawn_integers(each)) for each in (made, other)]
    np.testing.assert_array_equal(*answers)
    assert len(np.unique(answers[0])) > 10
    if answers[0].dtype == np.int8:
        assert np.mean(np.abs(answers[0].astype(int)) >= 127) < 0.5


def test_sums_of_a_narrow_kernel_stay_in_16_bits() -> None:
    workload = Int8PointwiseWorkload(1, 8, 64, 28, False, True, shift=5, narrow=True)
    made = made_by_default(workload, N1, 1)
    *_, bias, multipliers, shortcut, _ = drawn_integers(made, extreme=True)
    largest = 64 * 127 * 128 + np.abs(bias).max()
    shifted = np.abs(shortcut.astype(int)).max() << workload.shift
    assert (int(largest) * int(multipliers.max()) >> 31) + shifted < 1 << 15
    assert 0 < multipliers.min() <= multipliers.max() <= LARGEST_MULTIPLIER


def test_the_other_half_of_a_concat_stays() -> None:
    workload = dataclasses.replace(
        WORKLOADS["pointwise"], shuffle_rows=1, first_channel=5, stored_channels=30
    )
    made = made_by_default(workload, N1, 1)
    values = drawn_integers(made)
    answer = integer_answer(made, values)
    np.testing.assert_array_equal(answer[:5], values[-1][:5])
    np.testing.assert_array_equal(answer[25:], values[-1][25:])
    assert (answer[5:25] != values[-1][5:25]).any()


def test_kernels_of_floats_are_none_of_integers() -> None:
    made = made_by_default(WORKLOAD, A72, 1)
    assert not of_integers(made)
    assert inputs_of(made)[0].dtype == np.float32


@needs_cycle_model
@pytest.mark.parametrize("name", WORKLOADS)
def test_a_candidate_of_dot_products_is_right_under_qemu_and_priced(name: str) -> None:
    made = default(name)
    tile = space_of(made.workload, N1)[-1]
    examined = examine_candidate(made, tile, "neoverse-n1", "neoverse-n1")
    assert examined.outcome == "ok"
    assert examined.cost > 0
    assert set(examined.counters) == {"l1_misses", "l2_misses"}


@needs_cycle_model
@pytest.mark.usefixtures("kernels_made_anew")
def test_a_kernel_that_loses_its_shortcut_is_a_wrong_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, whole = default("pointwise"), int8_gemm.requantised
    monkeypatch.setattr(
        "compile.schedules.int8_gemm.requantised", lambda *given: whole(*given[:-1], None)
    )
    examined = examine_candidate(made, made.tile, "neoverse-n1", "neoverse-n1")
    assert (examined.outcome, examined.samples) == ("wrong answer", ())


@needs_cycle_model
def test_one_wrong_bit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    made = default("depthwise")
    assert error_in_integers(made, made, N1) == 0
    usual, extreme = (answer.copy() for answer in right_integers(made))
    extreme.flat[-1] ^= 1
    monkeypatch.setattr("compile.tuning.candidate.right_integers", lambda _: [usual, extreme])
    assert 0 < error_in_integers(made, made, N1) < 0.01


def test_a_record_counts_for_whatever_a_network_was_calibrated_on() -> None:
    workload = WORKLOADS["stem"]
    other = dataclasses.replace(workload, shift=7, zero=-3, picture_scale=0.5, narrow=True)
    assert key_of("int8_stem", workload, 1) == key_of("int8_stem", other, 1)
    wider = dataclasses.replace(workload, outputs=16)
    assert key_of("int8_stem", workload, 1) != key_of("int8_stem", wider, 1)
    assert "shift" not in workload_fields(workload)
    single = PointwiseWorkload(2, 10, 12, 49, True, True, shuffle_rows=2)
    of_single = key_of("pointwise", single, 1)
    assert key_of("int8_pointwise", WORKLOADS["pointwise"], 1) != of_single


def int8_record(tile: Any, **changed: Any) -> Any:  # noqa: ANN401 (any template's tile)
    return record(
        template="int8_pointwise",
        workload=workload_fields(WORKLOADS["pointwise"]),
        decisions=dataclasses.asdict(tile),
        core="neoverse-n1",
        **changed,
    )


@needs_cycle_model
def test_a_program_that_dies_under_qemu_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*arguments: object) -> None:
        raise ProgramError("kernel ended with 132")

    monkeypatch.setattr("compile.tuning.candidate.kernel_program", lambda *arguments: [])
    monkeypatch.setattr("compile.tuning.candidate.emulated_answers", dies)
    made = default("pointwise")
    examined = examine_candidate(made, made.tile, "neoverse-n1", "neoverse-n1")
    assert (examined.outcome, examined.reason) == ("does not build", "kernel ended with 132")


def test_records_of_int8_are_replayed_under_qemu() -> None:
    tiles = space_of(WORKLOADS["pointwise"], N1)
    assert faults_of([int8_record(tiles[0])]) == [None]


def test_without_qemu_a_record_is_said_not_to_be_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (fault,) = faults_of([int8_record(space_of(WORKLOADS["pointwise"], N1)[0])])
    assert "cannot be replayed here" in fault
    assert "qemu-aarch64" in fault
