"""The inputs of a pointwise kernel are read behind any shuffle, and the next weights prefetched."""

from __future__ import annotations

import dataclasses

import pytest

from compile.schedules.pointwise import pointwise
from compile.schedules.pointwise_default import default_tile
from compile.schedules.pointwise_workload import PointwiseWorkload
from tests.cores import A72, AVX512
from tests.pointwise_kernels import error_of


@pytest.mark.parametrize("load_rows", [2, 3, 4, 8, 20])
@pytest.mark.parametrize("layout", ["planes", "channels"])
def test_a_shuffle_before_is_read_in_order(load_rows: int, layout: str) -> None:
    """Also where the rows of the shuffle divide neither a group nor one another."""
    inputs = 20 if load_rows == 20 else 8
    groups = 3 if (3 * inputs) % load_rows == 0 else 2
    w = PointwiseWorkload(groups, 10, inputs, 18, True, False, load_rows=load_rows, layout=layout)
    assert error_of(w, default_tile(w, AVX512)) < 1e-4


def test_the_weights_of_the_next_tile_are_prefetched() -> None:
    w = PointwiseWorkload(1, 512, 512, 196, True, False, layout="channels")
    tile = default_tile(w, AVX512)
    assert tile.prefetch
    assert "llvm.prefetch" in str(pointwise(w, tile, 1).script())
    assert not default_tile(dataclasses.replace(w, layout="planes"), A72).prefetch
