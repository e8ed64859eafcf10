"""The cost of a register tile prefers what reuses its loads, within what the core can hold."""

from __future__ import annotations

import dataclasses

import pytest

from compile.schedules.registers import POINTWISE_COSTS, accumulator_budget, tile_cycles
from deploy_rpc.cores import Core
from tests.cores import A72, AVX2, AVX512


@pytest.mark.parametrize(("core", "budget"), [(A72, 20), (AVX512, 25), (AVX2, 12)])
def test_some_registers_are_left_for_inputs_and_weights(core: Core, budget: int) -> None:
    assert accumulator_budget(core) == budget


@pytest.mark.parametrize("core", [A72, AVX512], ids=["a72", "avx512"])
def test_a_balanced_tile_is_cheaper_for_each_value_than_a_long_one(core: Core) -> None:
    lanes = core.lanes
    balanced = tile_cycles(core, POINTWISE_COSTS["planes"], lanes, 8, 2, 80) / 16
    assert balanced < tile_cycles(core, POINTWISE_COSTS["planes"], lanes, 1, 14, 80) / 14


def test_too_few_accumulators_wait_for_each_other() -> None:
    alone = tile_cycles(AVX512, POINTWISE_COSTS["planes"], 16, 1, 1, 80)
    assert alone > 2 * tile_cycles(AVX512, POINTWISE_COSTS["planes"], 16, 4, 2, 80) / 8


def test_a_panel_beyond_the_caches_makes_long_tiles_dear() -> None:
    """Twenty vectors of 2000 steps are 2.5 MB: from L2 or beyond for every single pixel."""
    wide = tile_cycles(AVX512, POINTWISE_COSTS["channels"], 16, 1, 20, 2000) / 20
    assert wide > 2 * tile_cycles(AVX512, POINTWISE_COSTS["channels"], 16, 10, 2, 2000) / 20


def test_half_vectors_are_as_fast_only_where_long_ones_are_split() -> None:
    zen4 = dataclasses.replace(AVX512, macs_per_cycle=16)
    for core, ratio in ((AVX512, 2), (zen4, 1)):
        long = tile_cycles(core, POINTWISE_COSTS["channels"], 16, 8, 2, 1000) / 16
        short = tile_cycles(core, POINTWISE_COSTS["channels"], 8, 8, 2, 1000) / 8
        assert short / long == pytest.approx(ratio, rel=0.1)


def test_on_sixteen_registers_loads_that_outnumber_the_multiply_adds_cost() -> None:
    """Twelve rows by one vector take thirteen loads for twelve multiply-adds in every step."""
    long = tile_cycles(AVX2, POINTWISE_COSTS["channels"], 8, 12, 1, 80) / 12
    assert long > 1.3 * tile_cycles(AVX2, POINTWISE_COSTS["channels"], 8, 2, 5, 80) / 10


def test_on_sixteen_registers_inputs_of_their_own_are_loads_of_their_own() -> None:
    shared = tile_cycles(AVX2, POINTWISE_COSTS["channels"], 8, 4, 2, 9)
    assert tile_cycles(AVX2, POINTWISE_COSTS["channels"], 8, 4, 2, 9, own_inputs=True) > shared
