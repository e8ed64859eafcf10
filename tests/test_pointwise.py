"""The pointwise template gives its definition for every shape, with weights in order of use."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from compile.schedules.pointwise import pack_weights, pointwise
from compile.schedules.pointwise_default import default_tile
from compile.schedules.pointwise_tiles import PointwiseTile, runs_in_place
from compile.schedules.pointwise_workload import PointwiseWorkload
from deploy_rpc.cores import Core
from tests.cores import A72, AVX2, AVX512
from tests.pointwise_kernels import WORKLOADS, error_of, workload_of


@pytest.mark.parametrize("core", [A72, AVX512, AVX2], ids=lambda core: core.name)
@pytest.mark.parametrize("in_place", [True, False], ids=["in place", "apart"])
def test_a_shortcut_may_bring_the_bias_and_results_end_at_a_floor(
    core: Core, in_place: bool
) -> None:
    layout = "planes" if core is A72 else "channels"
    w = PointwiseWorkload(3, 20, 8, 784, False, True, layout=layout, bias=False, floor=True)
    w = dataclasses.replace(w, in_place=in_place)
    assert w.shortcut_operand == 2
    assert error_of(w, default_tile(w, core)) < 1e-5


IN_CHANNELS = [name for name, row in WORKLOADS.items() if row[6] == 1]  # no shuffled store


@pytest.mark.parametrize("core", [A72, AVX512], ids=lambda core: core.name)
@pytest.mark.parametrize("name", IN_CHANNELS)
def test_channels_in_the_lanes_give_the_same_definition(name: str, core: Core) -> None:
    w = dataclasses.replace(workload_of(name), layout="channels")
    assert error_of(w, default_tile(w, core)) < 1e-4


@pytest.mark.parametrize("outputs", [1, 3, 12, 16, 20, 24, 40, 60, 97])
def test_a_group_of_any_number_of_channels_fills_its_lanes(outputs: int) -> None:
    w = PointwiseWorkload(3, outputs, 12, 49, True, True, layout="channels")
    tile = default_tile(w, AVX512)
    assert tile.lanes == min(16, 1 << (outputs - 1).bit_length())
    assert error_of(w, tile) < 1e-4


@pytest.mark.parametrize("layout", ["planes", "channels"])
@pytest.mark.parametrize("core", [A72, AVX512], ids=lambda core: core.name)
def test_a_half_of_a_concat_leaves_the_other_alone(core: Core, layout: str) -> None:
    w = PointwiseWorkload(
        3, 24, 20, 49, True, False, layout=layout, first_channel=30, stored_channels=110
    )
    assert error_of(w, default_tile(w, core)) < 1e-4


@pytest.mark.parametrize("layout", ["planes", "channels"])
def test_a_shortcut_is_added_in_place_only_where_no_tile_overlaps(layout: str) -> None:
    w = PointwiseWorkload(3, 32, 12, 48, True, True, layout=layout)
    exact = PointwiseTile(8, 1, 16, 4, pixels_outer=False)
    overlapping = dataclasses.replace(exact, rows=7)
    assert runs_in_place(w, exact)
    assert not runs_in_place(w, overlapping)
    assert not runs_in_place(dataclasses.replace(w, shortcut=False), exact)
    assert error_of(dataclasses.replace(w, in_place=True), exact) < 1e-4


@pytest.mark.parametrize("core", [A72, AVX512], ids=lambda core: core.name)
@pytest.mark.parametrize("name", WORKLOADS)
def test_every_shape_gives_its_definition(name: str, core: Core) -> None:
    w = workload_of(name)
    assert error_of(w, default_tile(w, core)) < 5e-5  # float32 sums of up to 80 products of N(0, 1)


def test_the_weights_of_an_earlier_last_tile_are_packed_twice() -> None:
    w = PointwiseWorkload(1, 5, 2, 16, relu=False, shortcut=False)
    weights = np.arange(10, dtype=np.float32).reshape(5, 2, 1, 1)
    packed = pack_weights(weights, w, PointwiseTile(2, 1, 16, 1, pixels_outer=True))
    assert packed.tolist() == [
        [[[0, 2], [1, 3]], [[4, 6], [5, 7]], [[6, 8], [7, 9]]]  # rows 0 1, 2 3, 3 4
    ]


def test_the_kernel_is_one_nest_over_vectors() -> None:
    w = PointwiseWorkload(3, 8, 4, 32, relu=True, shortcut=True, shuffle_rows=3)
    text = pointwise(w, PointwiseTile(4, 2, 4, 4, pixels_outer=True), 1).script()
    assert text.count("T.vectorized(4)") == 3  # start, accumulate, store
    assert "T.max(" in text
    assert "T.parallel" not in text
    assert "if " not in text  # no predicates
