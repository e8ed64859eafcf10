"""The default tile of a pointwise kernel fits the core's registers, and suits its caches."""

from __future__ import annotations

import dataclasses

import pytest

from compile.schedules.pointwise_choices import fitting_tiles
from compile.schedules.pointwise_default import default_tile
from compile.schedules.pointwise_tiles import runs_in_place
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.registers import accumulator_budget
from deploy_rpc.cores import Core
from tests.cores import A72, AVX2, AVX512, N1
from tests.pointwise_kernels import ON_7X7, WORKLOADS, workload_of


def test_a_tile_that_runs_in_place_is_preferred_where_it_costs_nothing() -> None:
    w = PointwiseWorkload(3, 160, 40, 196, True, True, layout="channels")
    assert runs_in_place(w, default_tile(w, AVX512))


def test_groups_are_walked_inside_where_the_pictures_exceed_the_cache() -> None:
    """48 x 8 channels at 28x28 are 1.2 MB, with their inputs 1.5, of an L2 of 1 MB."""
    w = PointwiseWorkload(8, 48, 12, 784, True, True, layout="channels")
    assert default_tile(w, AVX2).groups_inner
    assert not default_tile(dataclasses.replace(w, pixels=196), AVX2).groups_inner
    assert not default_tile(dataclasses.replace(w, layout="planes"), AVX2).groups_inner


def test_groups_are_walked_inside_where_a_shuffle_scatters_their_inputs() -> None:
    """Of 24 inputs of 8 groups three lie side by side: each group reads every line."""
    w = PointwiseWorkload(8, 96, 24, 196, True, True, layout="channels", load_rows=8)
    assert default_tile(w, AVX512).groups_inner
    assert not default_tile(dataclasses.replace(w, load_rows=1), AVX512).groups_inner
    in_l1 = dataclasses.replace(w, pixels=49)
    assert not default_tile(in_l1, AVX512).groups_inner
    heavy = dataclasses.replace(w, groups=3, outputs=160, inputs=40, load_rows=3)
    assert not default_tile(heavy, AVX512).groups_inner
    beyond_l2 = dataclasses.replace(w, outputs=288, inputs=72, pixels=49)
    assert default_tile(beyond_l2, dataclasses.replace(AVX512, l2_kib=2048)).groups_inner
    assert not default_tile(beyond_l2, AVX512).groups_inner


@pytest.mark.parametrize(
    ("core", "outputs", "pixels", "expected"),
    [
        (AVX512, 40, 784, False),
        (AVX512, 20, 4800, False),
        (AVX512, 20, 9600, True),
        (AVX2, 20, 4800, True),
    ],
    ids=["in L1", "in L2", "beyond", "AVX2"],
)
def test_planes_with_avx_512_are_read_again_from_near_caches(
    core: Core, outputs: int, pixels: int, expected: bool
) -> None:
    """10 inputs at 28x28 are 31 kB a group, 40 at 60x80 768 kB."""
    inputs = 10 if outputs == 40 else 40
    w = PointwiseWorkload(3, outputs, inputs, pixels, True, outputs == 40, in_place=outputs == 40)
    assert default_tile(w, core).pixels_outer == expected


def test_with_avx_512_the_loads_of_a_shortcut_count() -> None:
    """20 rows of one vector load as much as they multiply where there are ten inputs."""
    w = PointwiseWorkload(3, 40, 10, 784, True, True, in_place=True)
    tile = default_tile(w, AVX512)
    assert (tile.rows, tile.vectors) == (2, 7)


@pytest.mark.parametrize("core", [A72, AVX512], ids=lambda core: core.name)
@pytest.mark.parametrize("name", WORKLOADS)
def test_the_accumulators_fit_the_registers(name: str, core: Core) -> None:
    w = workload_of(name)
    tile = default_tile(w, core)
    assert tile.rows * tile.vectors <= accumulator_budget(core, tile.row_lanes)
    assert tile.rows <= w.outputs
    assert tile.vectors * tile.lanes <= w.pixels
    assert w.inputs % tile.k_unroll == 0


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


def test_only_planes_of_aarch64_have_a_tail() -> None:
    assert not default_tile(dataclasses.replace(ON_7X7, layout="channels"), A72).tail
    assert not default_tile(ON_7X7, AVX512).tail
