"""What is kept from LLVM changes no bit of an answer, and is loaded as often as the code says."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import tvm

from compile.aot.compute import compile_module, exported
from compile.aot.kernels import STACK_BYTES, as_c_kernel
from compile.schedules.pointwise_choices import can_pair, can_spread_bias
from compile.schedules.pointwise_default import default_tile
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.spaces import space_of
from compile.schedules.stem_pool_workload import StemPoolWorkload
from compile.schedules.templates import Made, made_by_default
from compile.schedules.volatile import MOST_BYTES, can_spread
from compile.targets import parse_target
from compile.tuning.candidate import answers_of
from tests.cores import A72, AVX2

SHUFFLED = PointwiseWorkload(2, 8, 12, 28, True, False, shuffle_rows=2)
IN_PLACE = PointwiseWorkload(2, 8, 12, 28, False, True, in_place=True, floor=True)
TAIL = PointwiseWorkload(2, 8, 12, 25, True, False, first_channel=3, stored_channels=20)
STEM = StemPoolWorkload(8, 3, (16, 32))


def with_decisions(workload: object, threads: int = 1, **decisions: object) -> Made:
    made = made_by_default(workload, A72, threads)
    return dataclasses.replace(made, tile=dataclasses.replace(made.tile, **decisions))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("decision", ["spread_bias", "paired", "peel_first"])
@pytest.mark.parametrize("workload", [SHUFFLED, IN_PLACE, TAIL], ids=["store", "in place", "tail"])
def test_a_pointwise_kernel_gives_the_same_bits(
    workload: PointwiseWorkload, decision: str, threads: int
) -> None:
    shape = {"rows": 4, "vectors": 2, "row_lanes": 4}
    plain = with_decisions(workload, **shape, tail=workload is TAIL)
    tile = dataclasses.replace(plain.tile, **{decision: True})
    changed = dataclasses.replace(plain, tile=tile, threads=threads)
    for one, other in zip(answers_of(plain), answers_of(changed), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("decisions", [{"spread_bias": True}, {"aligned": True}], ids=str)
def test_a_stem_gives_the_same_bits(decisions: dict[str, bool]) -> None:
    plain = with_decisions(STEM)
    for one, other in zip(
        answers_of(plain), answers_of(with_decisions(STEM, **decisions)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_every_sum_is_loaded_with_its_bias_and_rows_are_stored_in_pairs() -> None:
    """784 pixels a row: out of reach of a pair from another row."""
    w = PointwiseWorkload(1, 8, 24, 784, True, False)
    shape = {"rows": 4, "vectors": 4, "row_lanes": 4, "k_unroll": 1, "peel": False}
    plain = assembly_of(with_decisions(w, **shape))
    changed = assembly_of(with_decisions(w, **shape, spread_bias=True, paired=True))
    assert copies_in(plain) >= 8
    assert copies_in(changed) == 0
    assert changed.count("stp\tq") > plain.count("stp\tq")
    assert changed.count("str\tq") < plain.count("str\tq")


def assembly_of(made: Made) -> str:
    kernel = exported(as_c_kernel(made.kernel()).function, "kernel")
    module = compile_module(tvm.IRModule({"kernel": kernel}), parse_target("neoverse-n1").tvm)
    return module.inspect_source("asm")


def copies_in(assembly: str) -> int:
    return len(re.findall(r"\tmov\tv\d+\.16b", assembly))


def test_only_biases_that_the_stack_has_room_for_are_spread() -> None:
    assert MOST_BYTES <= STACK_BYTES
    assert can_spread(MOST_BYTES // 16, 4)
    assert not can_spread(MOST_BYTES // 16 + 1, 4)
    few, many = (PointwiseWorkload(1, n, 24, 49, True, False) for n in (64, 1024))
    assert can_spread_bias(few, A72)
    assert not can_spread_bias(many, A72)
    assert not can_spread_bias(dataclasses.replace(few, bias=False, shortcut=True), A72)
    assert not can_spread_bias(few, AVX2)


def test_only_rows_of_several_vectors_on_aarch64_are_paired() -> None:
    assert can_pair(SHUFFLED, A72, 2)
    assert not can_pair(SHUFFLED, A72, 1)
    assert not can_pair(SHUFFLED, AVX2, 2)


def test_both_are_searched_where_they_can_be_and_default_to_what_they_were() -> None:
    tiles = space_of(SHUFFLED, A72)
    assert {(t.spread_bias, t.paired) for t in tiles if t.vectors > 1} == {
        (False, False),
        (True, True),
    }
    assert any(t.peel_first for t in tiles)
    assert not any(t.peel_first and t.peel for t in tiles)
    default = default_tile(SHUFFLED, A72)
    assert {default.spread_bias, default.paired, default.peel_first} == {False}
    assert not any(t.spread_bias or t.paired for t in space_of(SHUFFLED, AVX2))
