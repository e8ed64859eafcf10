"""Register tiles of 1x1 convolutions fit the core, and the default is one of them."""

from __future__ import annotations

import dataclasses

import pytest

from compile.schedules.pointwise_tiles import (
    default_tile,
    fitting_tiles,
    has_tail,
    runs_in_place,
    tile_counts,
    tiled_pixels,
)
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.registers import accumulator_budget
from deploy_rpc.cores import Core
from tests.cores import A72, AVX512, N1

ON_7X7 = PointwiseWorkload(3, 320, 80, 49, True, True)


def test_a_tail_makes_a_shortcut_on_7x7_run_in_place() -> None:
    tile = default_tile(ON_7X7, A72)
    assert tile.tail
    assert runs_in_place(ON_7X7, tile)
    assert not runs_in_place(ON_7X7, dataclasses.replace(tile, tail=False))


def test_the_pixels_of_a_tail_are_in_no_tile() -> None:
    tile = dataclasses.replace(default_tile(ON_7X7, A72), rows=4, vectors=3, tail=True)
    assert tiled_pixels(ON_7X7, tile) == 48
    assert tile_counts(ON_7X7, tile) == (80, 4)
    assert tile_counts(ON_7X7, dataclasses.replace(tile, tail=False)) == (80, 5)


@pytest.mark.parametrize(
    ("pixels", "rows", "vectors", "expected"),
    [(49, 4, 6, True), (48, 4, 6, False), (49, 5, 4, False), (49, 4, 7, False), (51, 8, 3, False)],
    ids=["a pixel left", "no pixel left", "weights one by one", "registers full", "three left"],
)
def test_a_tail_needs_pixels_weights_in_vectors_and_registers(
    pixels: int, rows: int, vectors: int, expected: bool
) -> None:
    w = dataclasses.replace(ON_7X7, pixels=pixels)
    assert has_tail(w, A72, rows, vectors, lanes=4) == expected


def test_only_planes_of_aarch64_have_a_tail() -> None:
    assert not default_tile(dataclasses.replace(ON_7X7, layout="channels"), A72).tail
    assert not default_tile(ON_7X7, AVX512).tail


@pytest.mark.parametrize(
    ("core", "inputs", "step"),
    [(N1, 50, 1), (N1, 40, 4), (N1.of("float16"), 50, 2), (A72, 50, 2), (AVX512, 50, 2)],
    ids=["N1", "N1 by fours", "N1 float16", "A72", "AVX-512"],
)
def test_only_float32_on_arm_cores_of_several_fmlas_a_cycle_never_takes_inputs_by_twos(
    core: Core, inputs: int, step: int
) -> None:
    w = PointwiseWorkload(2, 200, inputs, 196, relu=True, shortcut=True)
    assert default_tile(w, core).k_unroll == step


@pytest.mark.parametrize("core", [A72, AVX512], ids=lambda core: core.name)
def test_the_default_is_a_fitting_tile(core: object) -> None:
    tile = default_tile(ON_7X7, core)
    assert (tile.rows, tile.vectors, tile.lanes) in fitting_tiles(ON_7X7, core)
    assert tile.rows * tile.vectors <= accumulator_budget(core, tile.row_lanes)
