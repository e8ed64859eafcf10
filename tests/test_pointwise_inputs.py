"""The inputs of a pointwise kernel are read behind any shuffle, and the next weights prefetched."""

from __future__ import annotations

import dataclasses

import pytest

from compile.schedules.pointwise import pointwise
from compile.schedules.pointwise_default import default_tile
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.spaces import space_of
from deploy_rpc.cores import Core
from tests.cores import A72, AVX2, AVX512
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


FAR = PointwiseWorkload(2, 96, 8, 784, True, True, layout="channels")  # 588 KiB of shortcut


def test_each_tile_prefetches_what_the_shortcut_adds_to_the_next_pixels() -> None:
    tile = default_tile(FAR, AVX2)
    assert tile.prefetch_shortcut
    without = dataclasses.replace(tile, prefetch_shortcut=False)
    lines = tile.rows * -(-4 * tile.width // 64)
    counts = [
        str(pointwise(FAR, each, 1).script()).count("llvm.prefetch") for each in (tile, without)
    ]
    assert counts[0] - counts[1] == lines


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("in_place", [True, False])
def test_a_prefetched_shortcut_is_added_as_it_was(threads: int, in_place: bool) -> None:
    w = dataclasses.replace(FAR, in_place=in_place)
    assert error_of(w, default_tile(w, AVX2), threads) < 1e-4


@pytest.mark.parametrize(
    ("workload", "core"),
    [
        (FAR, A72),
        (dataclasses.replace(FAR, layout="planes"), AVX2),
        (dataclasses.replace(FAR, pixels=49), AVX2),
        (dataclasses.replace(FAR, shortcut=False), AVX2),
        (dataclasses.replace(FAR, pixels=1568), AVX512),
    ],
    ids=["ARM", "planes", "near", "no shortcut", "foreseen"],
)
def test_a_shortcut_is_not_prefetched_in_vain(workload: PointwiseWorkload, core: Core) -> None:
    assert not any(tile.prefetch_shortcut for tile in space_of(workload, core))
