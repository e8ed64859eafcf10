"""The cost of a register tile prefers what reuses its loads, within what the core can hold."""

from __future__ import annotations

import dataclasses

import pytest

from compile.schedules.registers import accumulator_budget, tile_cycles
from deploy_rpc.cores import Core, find_core

A72 = find_core("cortex-a72")
AVX512 = dataclasses.replace(A72, isa="x86_64", vector_bits=512, macs_per_cycle=32)
AVX2 = dataclasses.replace(AVX512, vector_bits=256, vector_registers=16, macs_per_cycle=16)


@pytest.mark.parametrize(("core", "budget"), [(A72, 20), (AVX512, 24), (AVX2, 12)])
def test_some_registers_are_left_for_inputs_and_weights(core: Core, budget: int) -> None:
    assert accumulator_budget(core) == budget


@pytest.mark.parametrize("core", [A72, AVX512], ids=["a72", "avx512"])
def test_a_balanced_tile_is_cheaper_for_each_value_than_a_long_one(core: Core) -> None:
    balanced, long = tile_cycles(core, 10, 2, 80) / 20, tile_cycles(core, 2, 7, 80) / 14
    assert balanced < long


def test_too_few_accumulators_wait_for_each_other() -> None:
    assert tile_cycles(AVX512, 1, 1, 80) / 1 > 2 * tile_cycles(AVX512, 4, 2, 80) / 8
