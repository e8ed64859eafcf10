"""Inputs added in halves change no bit, and are offered where L1 is too small for all of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.spaces import space_of
from compile.schedules.templates import Made, made_by_default
from compile.tuning.candidate import answers_of
from tests.cores import A72, AVX2

SHUFFLED = PointwiseWorkload(2, 8, 12, 32, True, False, shuffle_rows=2)
JOINED = PointwiseWorkload(2, 8, 12, 33, True, False, first_channel=3, stored_channels=20)
DEEP = PointwiseWorkload(3, 80, 320, 49, True, False, shuffle_rows=3)


def in_parts(workload: PointwiseWorkload, *, halves: bool, threads: int = 1, **more: bool) -> Made:
    made = made_by_default(workload, A72, threads)
    tile = dataclasses.replace(
        made.tile, rows=4, vectors=2, lanes=4, row_lanes=4, k_unroll=2, pixels_outer=False,
        peel=True, tail=bool(workload.pixels % 4), halves=halves, **more,
    )  # fmt: skip
    return dataclasses.replace(made, tile=tile)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("workload", [SHUFFLED, JOINED], ids=["store", "tail"])
def test_halves_give_the_same_bits(workload: PointwiseWorkload, threads: int, paired: bool) -> None:
    whole = in_parts(workload, halves=False)
    halves = in_parts(workload, halves=True, threads=threads, paired=paired)
    for one, other in zip(answers_of(whole), answers_of(halves), strict=True):
        np.testing.assert_array_equal(one, other)


def halved(workload: PointwiseWorkload, core: object = A72) -> list[object]:
    return [tile for tile in space_of(workload, core) if getattr(tile, "halves", False)]


def test_only_exact_tiles_that_walk_the_pixels_inside_are_halved() -> None:
    tiles = halved(DEEP)
    assert tiles
    for tile in tiles:
        assert DEEP.outputs % tile.rows == 0
        assert (DEEP.pixels - DEEP.pixels % tile.lanes * tile.tail) % tile.width == 0
        assert tile.peel
        assert not tile.pixels_outer
        assert DEEP.inputs % (2 * tile.k_unroll) == 0


@pytest.mark.parametrize(
    "workload",
    [
        dataclasses.replace(DEEP, shortcut=True, shuffle_rows=1),
        dataclasses.replace(DEEP, inputs=20),
    ],
    ids=["a shortcut", "few inputs"],
)
def test_sums_that_cannot_wait_or_need_not_are_not_halved(workload: PointwiseWorkload) -> None:
    assert not halved(workload)


def test_channels_in_the_lanes_are_not_halved() -> None:
    assert not halved(dataclasses.replace(DEEP, layout="channels", shuffle_rows=1), AVX2)
