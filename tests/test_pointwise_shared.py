"""Pixels share the last vector of a group's outputs where they fill it."""

from __future__ import annotations

import dataclasses

import pytest

from compile.schedules.pointwise_choices import fitting_tiles, sharings
from compile.schedules.pointwise_default import default_tile
from compile.schedules.pointwise_tiles import PointwiseTile
from compile.schedules.pointwise_workload import PointwiseWorkload
from tests.cores import A72, AVX2, AVX512
from tests.pointwise_kernels import error_of


@pytest.mark.parametrize(("outputs", "sharing"), [(20, 2), (10, 4), (4, 2)])
def test_pixels_share_the_last_vector_of_a_group(outputs: int, sharing: int) -> None:
    w = PointwiseWorkload(3, outputs, 12, 52, True, True, layout="channels")
    vectors = outputs // 8 + 1
    assert sharings(w, AVX512, 8, vectors, 8)[0] == sharing
    tile = PointwiseTile(8, vectors, 8, k_unroll=4, pixels_outer=False, sharing=sharing)
    assert error_of(w, tile) < 5e-5
    assert (
        error_of(dataclasses.replace(w, load_rows=3, stored_channels=70, first_channel=5), tile)
        < 5e-5
    )


def test_a_vector_is_shared_where_that_was_measured_and_pixels_fill_it() -> None:
    w = PointwiseWorkload(3, 20, 80, 784, True, False, layout="channels")
    assert default_tile(w, AVX2).sharing == 2
    shuffled = dataclasses.replace(w, load_rows=3)  # else inputs lie in the lanes
    assert default_tile(shuffled, AVX512).sharing == 4
    assert default_tile(w, A72).sharing == 1
    assert sharings(w, AVX512, 3, 3, 8) == [1]  # an odd pixel would be left
    assert sharings(w, AVX512, 4, 2, 8) == [1]  # the vector is another tile's
    assert sharings(dataclasses.replace(w, outputs=17), AVX512, 8, 3, 8) == [1]  # none of one
    assert sharings(dataclasses.replace(w, outputs=21), AVX512, 8, 3, 8) == [1]
    assert sharings(dataclasses.replace(w, layout="planes"), AVX512, 4, 3, 8) == [1]
    assert sharings(w, A72, 4, 5, 4) == [1]


def test_a_shared_vector_leaves_registers_for_more_pixels() -> None:
    """Of 7 vectors of 4 pixels the last is one, not four: 25 accumulators instead of 28."""
    w = PointwiseWorkload(2, 100, 24, 49, True, False, layout="channels")
    assert sharings(w, AVX512, 4, 7, 16) == [4]
    assert sharings(w, AVX512, 8, 7, 16) == []
    assert (4, 7, 16) in fitting_tiles(w, AVX512)
    assert sharings(w, AVX2, 4, 3, 8) == [1]  # the vector is another tile's
    assert sharings(dataclasses.replace(w, outputs=20), AVX2, 6, 3, 8) == []  # 15 of 12
    tile = default_tile(w, AVX512)
    assert (tile.rows, tile.vectors, tile.sharing) == (4, 7, 4)
    assert error_of(w, tile) < 5e-5
