"""Several inputs of each sum in the lanes: what it computes, and where a core has it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from compile.schedules.pointwise import pointwise
from compile.schedules.pointwise_choices import k_lane_tiles
from compile.schedules.pointwise_default import default_tile, in_k_lanes
from compile.schedules.pointwise_k_lanes import packed_in_k_lanes
from compile.schedules.pointwise_tiles import PointwiseTile
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.spaces import space_of
from tests.cores import A72, AVX2, AVX512
from tests.pointwise_kernels import error_of

STAGE_2 = PointwiseWorkload(3, 20, 80, 784, True, False, layout="channels")
STAGE_3 = PointwiseWorkload(3, 40, 160, 196, True, False, layout="channels")


def tile_of(rows: int, vectors: int, k_lanes: int, k_unroll: int = 1) -> PointwiseTile:
    return PointwiseTile(rows, vectors, 16, k_unroll, pixels_outer=False, k_lanes=k_lanes)


@pytest.mark.parametrize(
    ("outputs", "rows", "vectors", "k_lanes"),
    [
        (20, 4, 5, 4),  # a vector of 16 outputs a pixel, and one of 4 outputs of 4 pixels
        (20, 3, 5, 4),  # of 3 pixels
        (40, 2, 10, 4),  # of 2 pixels by 2 vectors
        (40, 4, 5, 2),
        (32, 3, 4, 2),  # nothing is left
        (12, 4, 3, 4),  # all is
        (22, 1, 5, 4),  # the last tile of outputs begins earlier
        (24, 5, 3, 8),
        (10, 4, 3, 4),  # the last vector begins earlier, two outputs before the end of another
        (30, 2, 8, 4),  # though a whole vector of outputs were left, it is added apart
    ],
)
def test_a_tile_with_inputs_in_the_lanes_computes_what_it_should(
    outputs: int, rows: int, vectors: int, k_lanes: int
) -> None:
    w = PointwiseWorkload(3, outputs, 16, 53, True, False, layout="channels")
    into_half = dataclasses.replace(w, relu=False, stored_channels=140, first_channel=5)
    assert error_of(w, tile_of(rows, vectors, k_lanes)) < 5e-5
    assert error_of(into_half, tile_of(rows, vectors, k_lanes)) < 5e-5


def test_steps_are_unrolled_shared_and_walked_with_the_groups_inside() -> None:
    w = PointwiseWorkload(3, 20, 32, 53, True, False, layout="channels")
    tile = dataclasses.replace(tile_of(4, 5, 4, k_unroll=2), prefetch=True)
    assert error_of(w, tile, threads=2) < 5e-5
    assert error_of(w, dataclasses.replace(tile, prefetch=False, groups_inner=True)) < 5e-5


def test_only_of_few_outputs_the_last_vector_begins_earlier() -> None:
    of_ten = dataclasses.replace(STAGE_3, outputs=10, inputs=40)
    assert {vectors for _, vectors, k_lanes in k_lane_tiles(of_ten, AVX512) if k_lanes == 4} == {
        1, 2, 3,
    }  # fmt: skip
    assert default_tile(of_ten, AVX512).k_lanes == 4
    assert default_tile(dataclasses.replace(of_ten, pixels=784), AVX512).k_lanes == 1
    of_34 = dataclasses.replace(STAGE_3, outputs=34, inputs=136)
    assert max(vectors for _, vectors, k_lanes in k_lane_tiles(of_34, AVX512) if k_lanes == 4) == 8


def test_weights_are_packed_so_that_a_shuffle_is_enough_for_each_addition() -> None:
    """[group][tile][k / 4][vector, block, k]: of the first four vectors each lane of a block holds
    a part of another output; the last one holds outputs whole."""
    grouped = np.arange(20 * 8, dtype=np.float32).reshape(1, 20, 8)
    packed = packed_in_k_lanes(grouped, tile_of(4, 5, 4)).reshape(2, 5, 4, 4)
    for vector, outputs in enumerate([(4, 5, 6, 7), (5, 4, 7, 6), (6, 7, 4, 5), (7, 6, 5, 4)]):
        assert (packed[1, vector, 1] == grouped[0, list(outputs), range(4, 8)]).all()
    assert (packed[0, 4] == grouped[0, 16:, :4]).all()


@pytest.mark.parametrize(("k_lanes", "shuffles"), [(4, 3), (2, 1)])
def test_sums_of_one_pixel_take_a_shuffle_for_each_addition(k_lanes: int, shuffles: int) -> None:
    w = PointwiseWorkload(1, 16, 16, 4, False, False, layout="channels")
    lines = pointwise(w, tile_of(1, k_lanes, k_lanes), 1).script().splitlines()
    moved = [line for line in lines if "T.Shuffle" in line and "[0, 1, 2, 3, " not in line]
    added = [line for line in moved if "W[" not in line]
    assert sum(line.count("T.Shuffle") for line in added) == shuffles


def test_it_is_had_where_it_was_measured_and_inputs_lie_side_by_side() -> None:
    assert (4, 5, 4) in k_lane_tiles(STAGE_2, AVX512)
    for core in (A72, AVX2):
        assert k_lane_tiles(STAGE_2, core) == []
    for other in (
        {"layout": "planes"},
        {"load_rows": 3},
        {"shuffle_rows": 3},
        {"shortcut": True},
        {"floor": True},
        {"inputs": 79},
    ):
        assert k_lane_tiles(dataclasses.replace(STAGE_2, **other), AVX512) == []
    of_six = k_lane_tiles(dataclasses.replace(STAGE_2, inputs=78), AVX512)
    assert {k_lanes for _, _, k_lanes in of_six} == {2}
    assert all(
        rows * vectors <= 25 and vectors * 16 // k_lanes <= 20
        for rows, vectors, k_lanes in k_lane_tiles(STAGE_2, AVX512)
    )


def test_the_default_has_as_many_inputs_in_the_lanes_as_leave_no_output_over() -> None:
    """20 outputs are five vectors of 4 inputs, 40 outputs five of 2."""
    for workload, k_lanes in ((STAGE_2, 4), (STAGE_3, 2)):
        tile = default_tile(workload, AVX512)
        assert (tile.rows, tile.vectors, tile.k_lanes) == (4, 5, k_lanes)
        assert tile.width == workload.outputs
        assert (tile.sharing, tile.k_unroll) == (1, 1)
    few_inputs = dataclasses.replace(STAGE_2, outputs=60, inputs=24, groups=1)
    assert default_tile(few_inputs, AVX512).k_lanes == 1
    assert default_tile(STAGE_2, AVX2).k_lanes == 1


def test_the_order_of_the_loops_is_that_of_its_width() -> None:
    """8 groups of 48 inputs exceed L2, so that all groups of a pixel are walked together."""
    w = PointwiseWorkload(8, 24, 48, 784, True, False, layout="channels")
    tile = in_k_lanes(w, AVX512, tile_of(4, 3, 2))
    assert tile.groups_inner
    assert not tile.prefetch
    assert in_k_lanes(STAGE_3, AVX512, tile_of(4, 5, 2)).prefetch


def test_a_search_may_take_it() -> None:
    space = space_of(STAGE_2, AVX512)
    lanes = {tile.k_lanes for tile in space}
    assert lanes == {1, 2, 4}
    assert len(set(space)) == len(space)
    assert {tile.k_unroll for tile in space if tile.k_lanes == 4} == {1, 2, 4}
    assert {tile.k_lanes for tile in space_of(STAGE_2, AVX2)} == {1}
