"""A pool keeps its rows in registers where that is known to pay, in vectors that fit them."""

from __future__ import annotations

import dataclasses

import pytest

from compile.schedules.pool_tiles import default_tile
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core
from tests.cores import A72, AVX2, AVX512

HALVING = WindowWorkload("average", 8, 1, 1, (28, 28), (3, 3), 2, (1, 1))


@pytest.mark.parametrize("core", [A72, AVX2, AVX512])
def test_rows_stay_in_registers_where_they_are_halved(core: Core) -> None:
    assert default_tile(HALVING, core).in_registers
    assert not default_tile(dataclasses.replace(HALVING, size=(27, 27)), core).in_registers


def test_vectors_are_no_longer_than_a_row() -> None:
    assert default_tile(dataclasses.replace(HALVING, stride=1), AVX512).lanes == 16  # of 28 columns
    assert default_tile(dataclasses.replace(HALVING, size=(27, 27)), AVX512).lanes == 8  # of 14


def test_a_row_that_nearly_fills_a_vector_is_one() -> None:
    assert default_tile(HALVING, AVX512).lanes == 16  # of 14 columns
    assert default_tile(dataclasses.replace(HALVING, size=(14, 14)), AVX512).lanes == 4  # of 7
    assert default_tile(dataclasses.replace(HALVING, size=(64, 64)), AVX512).lanes == 16
