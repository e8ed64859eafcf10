"""A pool keeps its rows in registers where that is known to pay, in vectors that fit them."""

from __future__ import annotations

import dataclasses

from compile.schedules.pool_tiles import default_tile
from compile.schedules.window_workload import WindowWorkload
from tests.cores import A72, AVX512

HALVING = WindowWorkload("average", 8, 1, 1, (28, 28), (3, 3), 2, (1, 1))


def test_rows_stay_in_registers_on_aarch64_where_they_are_halved() -> None:
    assert default_tile(HALVING, A72).in_registers
    assert not default_tile(HALVING, AVX512).in_registers
    assert not default_tile(dataclasses.replace(HALVING, size=(27, 27)), A72).in_registers


def test_vectors_are_no_longer_than_a_row() -> None:
    assert default_tile(HALVING, AVX512).lanes == 8  # of 14 columns
    assert default_tile(dataclasses.replace(HALVING, size=(64, 64)), AVX512).lanes == 16
