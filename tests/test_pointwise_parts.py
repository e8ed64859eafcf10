"""Pixels and outputs behind the last whole vector are computed, and no padding is stored."""

from __future__ import annotations

import dataclasses

import pytest

from compile.schedules.pointwise_tiles import PointwiseTile, runs_in_place
from compile.schedules.pointwise_workload import PointwiseWorkload
from tests.pointwise_kernels import error_of

# fmt: off
TAILS = {  # groups, M, K, N, relu, shortcut, store, load
    "one pixel beyond, shuffled":      (3,  8, 20, 49, True,  False, 3, 1),
    "two pixels, last tile earlier":   (2, 12,  6, 22, True,  True,  1, 1),
    "three pixels, one tile of pixels": (1, 8,  5,  7, False, False, 1, 1),
    "a shuffle before":                (2,  8, 12, 13, False, True,  1, 3),
}
# fmt: on


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", TAILS)
def test_pixels_behind_the_last_vector_have_outputs_in_the_lanes(name: str, threads: int) -> None:
    w = PointwiseWorkload(*TAILS[name])
    for vectors, outer in ((1, True), (min(2, w.pixels // 4), False)):
        tile = PointwiseTile(8, vectors, 4, 1, pixels_outer=outer, row_lanes=4, tail=True)
        assert error_of(w, tile, threads) < 1e-4
        if runs_in_place(w, tile):
            assert error_of(dataclasses.replace(w, in_place=True), tile, threads) < 1e-4


@pytest.mark.parametrize("prefetch", [True, False])
def test_padding_is_not_stored(prefetch: bool) -> None:
    """40 channels in one tile of 48: the last vector holds 8."""
    w = PointwiseWorkload(3, 40, 8, 33, False, False, layout="channels")
    tile = PointwiseTile(5, 3, 16, 4, pixels_outer=False, prefetch=prefetch)
    assert tile.padding(w.outputs) == 8
    assert error_of(w, tile) < 1e-4
