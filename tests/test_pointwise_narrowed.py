"""The last tile of a group's outputs may have fewer vectors than the others, to be exact."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from compile.schedules.pointwise import pack_weights, pointwise
from compile.schedules.pointwise_choices import can_narrow
from compile.schedules.pointwise_default import default_tile
from compile.schedules.pointwise_tiles import PointwiseTile, runs_in_place
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.spaces import space_of
from tests.cores import A72, AVX2, AVX512
from tests.pointwise_kernels import error_of, output_of

SHUFFLED_TO_A_FLOOR = {"load_rows": 4, "floor": True, "bias": False, "relu": False}
TILE = PointwiseTile(7, 2, 16, k_unroll=4, pixels_outer=False, narrows=True)


def in_channels(groups: int, outputs: int, inputs: int, pixels: int) -> PointwiseWorkload:
    return PointwiseWorkload(groups, outputs, inputs, pixels, True, True, layout="channels")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("pixels_outer", [False, True])
@pytest.mark.parametrize("outputs", [80, 40, 56, 33], ids="{} outputs".format)
def test_outputs_of_any_number_are_exact(outputs: int, pixels_outer: bool, threads: int) -> None:
    """A vector is left, or half of one, or one and a half, or a single output."""
    w = in_channels(3, outputs, 12, 49)
    tile = dataclasses.replace(TILE, pixels_outer=pixels_outer, prefetch=not pixels_outer)
    assert runs_in_place(w, tile)
    assert error_of(dataclasses.replace(w, in_place=True), tile, threads) < 1e-4


@pytest.mark.parametrize("given", [{}, SHUFFLED_TO_A_FLOOR])
@pytest.mark.parametrize("decided", [{}, {"peel": True}, {"groups_inner": True}])
def test_no_decision_and_no_thread_changes_a_bit(
    decided: dict[str, object], given: dict[str, object]
) -> None:
    w = dataclasses.replace(in_channels(4, 80, 20, 49), **given)
    whole = dataclasses.replace(TILE, vectors=5, rows=5, narrows=False)
    expected = output_of(w, whole)
    tile = dataclasses.replace(TILE, **decided)
    in_place = dataclasses.replace(w, in_place=True)
    for threads in (1, 2):
        np.testing.assert_array_equal(output_of(in_place, tile, threads), expected)
    assert error_of(w, tile) < 1e-4


def test_the_last_tile_prefetches_the_weights_of_the_next_group() -> None:
    """From the same blocks as the others, which are as wide as these."""
    w = in_channels(3, 80, 8, 49)
    script = pointwise(w, dataclasses.replace(TILE, prefetch=True), 1).script()
    wide, narrow = (line.strip() for line in script.splitlines() if "prefetch" in line)
    assert wide == narrow


def test_pixels_that_are_no_tiles_still_begin_earlier() -> None:
    w = in_channels(2, 80, 12, 52)
    assert not runs_in_place(w, TILE)
    assert error_of(w, TILE) < 1e-4
    half = dataclasses.replace(w, first_channel=20, stored_channels=200)
    assert error_of(half, dataclasses.replace(TILE, groups_inner=True)) < 1e-4


def test_the_weights_of_the_last_tile_are_padded() -> None:
    w = in_channels(1, 40, 3, 7)
    weights = np.arange(1, 121, dtype=np.float32).reshape(40, 3, 1, 1)
    packed = pack_weights(weights, w, TILE)
    assert packed.shape == (1, 2, 3, 32)
    assert packed[0, 1, 0].tolist() == [*weights[32:, 0, 0, 0].tolist(), *[0.0] * 24]


@pytest.mark.parametrize("extents", [(4, 272, 68, 49), (2, 400, 100, 49), (2, 200, 50, 196)])
def test_in_place_it_is_the_default_where_no_tile_divides_the_vectors(
    extents: tuple[int, int, int, int],
) -> None:
    w = in_channels(*extents)
    tile = default_tile(w, AVX512)
    assert (tile.rows, tile.vectors, tile.narrows) == (7, 2, True)
    assert runs_in_place(w, tile)
    assert not default_tile(dataclasses.replace(w, shortcut=False), AVX512).narrows
    assert not any(default_tile(w, core).narrows for core in (A72, AVX2))


def test_tiles_that_divide_the_vectors_or_share_one_stay() -> None:
    for extents in ((3, 320, 80, 49), (3, 160, 40, 196), (3, 80, 20, 784), (4, 136, 34, 196)):
        assert not default_tile(in_channels(*extents), AVX512).narrows


def test_it_is_offered_where_it_was_measured() -> None:
    w = in_channels(3, 80, 20, 49)
    assert can_narrow(w, AVX512, 2, 16)
    assert not can_narrow(w, AVX512, 5, 16)  # nothing is left
    assert not can_narrow(w, AVX512, 6, 16)  # there is one tile
    assert not can_narrow(w, AVX2, 2, 8)
    assert not can_narrow(dataclasses.replace(w, layout="planes"), AVX512, 2, 16)
    assert not can_narrow(dataclasses.replace(w, shortcut=False), AVX512, 2, 16)
    narrow = [tile for tile in space_of(w, AVX512) if tile.narrows]
    assert {tile.vectors for tile in narrow} >= {2, 3}
    assert all(can_narrow(w, AVX512, tile.vectors, tile.lanes) for tile in narrow)
    in_place = dataclasses.replace(w, in_place=True)
    assert all(runs_in_place(in_place, tile) for tile in space_of(in_place, AVX512))
