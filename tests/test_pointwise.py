"""The pointwise template gives its definition for every shape, and fits the core's registers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tvm

from compile.schedules.pointwise import pack_weights, pointwise
from compile.schedules.pointwise_tiles import (
    PointwiseTile,
    default_tile,
    runs_in_place,
    sharing_of,
)
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.registers import accumulator_budget
from deploy_rpc.cores import Core
from tests.cores import A72, AVX2, AVX512

# fmt: off
WORKLOADS = {
    #                          groups  M   K    N    relu   shortcut  store load
    "stage 2 with shuffle":      (3,  20, 80, 784, True,  False,    3,    1),
    "stage 3 with shortcut":     (3, 160, 40, 196, True,  True,     1,    1),
    "stage 4 of 7x7":            (3,  80, 32,  49, True,  False,    3,    1),
    "official, shuffled before": (3,  24, 20,  49, True,  True,     1,   20),
    "official, shuffled behind": (3,  20,  8,  49, False, False,   20,    1),
    "eight groups":              (8,  12,  6, 196, True,  False,    8,    1),
    "two groups, odd rows":      (2,  25, 10,  49, True,  False,    2,    1),
    "a prime of everything":     (1,  13,  7,  53, False, False,    1,    1),
    "one pixel":                 (1,  10, 24,   1, False, False,    1,    1),
    "three pixels":              (4,   5,  3,   3, True,  True,     4,    1),
}
# fmt: on


def workload_of(name: str) -> PointwiseWorkload:
    return PointwiseWorkload(*WORKLOADS[name])


def definition(
    w: PointwiseWorkload,
    x: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray,
    shortcut: np.ndarray,
    floor: np.ndarray,
) -> np.ndarray:
    """In float64, the shuffles by NumPy's reshape and transpose."""
    x = x.astype(np.float64)
    if w.load_rows > 1:
        x = x.reshape(w.load_rows, -1, w.pixels).swapaxes(0, 1).reshape(x.shape)
    grouped = weights.reshape(w.groups, w.outputs, w.inputs).astype(np.float64)
    y = np.einsum("gmk,gkn->gmn", grouped, x.reshape(w.groups, w.inputs, w.pixels))
    y = y.reshape(w.channels, w.pixels) + bias[:, None] + (shortcut if w.shortcut else 0)
    y = np.maximum(y, 0) if w.relu else y
    y = np.maximum(y, floor[:, None]) if w.floor else y
    if w.shuffle_rows > 1:
        y = y.reshape(w.shuffle_rows, -1, w.pixels).swapaxes(0, 1).reshape(y.shape)
    return y


def in_layout(w: PointwiseWorkload, planes: np.ndarray) -> np.ndarray:
    """(channels, pixels) as the kernel takes it; and back."""
    return planes if w.layout == "planes" else np.ascontiguousarray(planes.T)


def error_of(w: PointwiseWorkload, tile: PointwiseTile, threads: int = 1) -> float:
    """Largest difference between kernel and definition."""
    random = np.random.default_rng(0)
    x = random.standard_normal((w.groups * w.inputs, w.pixels)).astype(np.float32)
    weights = random.standard_normal((w.channels, w.inputs, 1, 1)).astype(np.float32)
    bias = random.standard_normal(w.channels).astype(np.float32)
    shortcut = random.standard_normal((w.channels, w.pixels)).astype(np.float32)
    floor = random.standard_normal(w.channels).astype(np.float32)
    bias = bias if w.bias else np.zeros_like(bias)
    operands = [in_layout(w, x), pack_weights(weights, w, tile), *([bias] if w.bias else [])]
    y = np.full(w.output_shape, np.nan, np.float32)
    if w.in_place:
        y = in_layout(w, shortcut).copy()
    elif w.shortcut:
        operands.append(in_layout(w, shortcut))
    operands += [floor] if w.floor else []
    tensors = [tvm.runtime.tensor(value) for value in (*operands, y)]
    kernel = pointwise(w, tile, threads).with_attr("global_symbol", "main")
    tvm.compile(kernel, target="llvm")["main"](*tensors)
    written = in_layout(w, tensors[-1].numpy())
    others = np.delete(written, np.s_[w.first_channel : w.first_channel + w.channels], axis=0)
    assert np.isnan(others).all()
    written = written[w.first_channel : w.first_channel + w.channels]
    return np.abs(written - definition(w, x, weights, bias, shortcut, floor)).max()


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
    assert tile.padding(w) == 8
    assert error_of(w, tile) < 1e-4


@pytest.mark.parametrize("load_rows", [2, 3, 4, 8, 20])
@pytest.mark.parametrize("layout", ["planes", "channels"])
def test_a_shuffle_before_is_read_in_order(load_rows: int, layout: str) -> None:
    """Also where the rows of the shuffle divide neither a group nor one another."""
    inputs = 20 if load_rows == 20 else 8
    groups = 3 if (3 * inputs) % load_rows == 0 else 2
    w = PointwiseWorkload(groups, 10, inputs, 18, True, False, load_rows=load_rows, layout=layout)
    assert error_of(w, default_tile(w, AVX512)) < 1e-4


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


def test_a_tile_that_runs_in_place_is_preferred_where_it_costs_nothing() -> None:
    w = PointwiseWorkload(3, 160, 40, 196, True, True, layout="channels")
    assert runs_in_place(w, default_tile(w, AVX512))


def test_the_weights_of_the_next_tile_are_prefetched() -> None:
    w = PointwiseWorkload(1, 512, 512, 196, True, False, layout="channels")
    tile = default_tile(w, AVX512)
    assert tile.prefetch
    assert "llvm.prefetch" in str(pointwise(w, tile, 1).script())
    assert not default_tile(dataclasses.replace(w, layout="planes"), A72).prefetch


@pytest.mark.parametrize("core", [A72, AVX512], ids=lambda core: core.name)
@pytest.mark.parametrize("name", WORKLOADS)
def test_every_shape_gives_its_definition(name: str, core: Core) -> None:
    w = workload_of(name)
    assert error_of(w, default_tile(w, core)) < 5e-5  # float32 sums of up to 80 products of N(0, 1)


@pytest.mark.parametrize("order", [(True, False), (False, False), (False, True)], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_loop_order_and_threads_change_nothing(order: tuple[bool, bool], threads: int) -> None:
    w = workload_of("two groups, odd rows")
    tile = PointwiseTile(4, 2, 4, k_unroll=2, pixels_outer=order[0], groups_inner=order[1])
    assert error_of(w, tile, threads) < 5e-5


@pytest.mark.parametrize(("outputs", "sharing"), [(20, 2), (10, 4), (4, 2)])
def test_pixels_share_the_last_vector_of_a_group(outputs: int, sharing: int) -> None:
    w = PointwiseWorkload(3, outputs, 12, 52, True, True, layout="channels")
    vectors = outputs // 8 + 1
    assert sharing_of(w, 8, vectors, 8) == sharing
    tile = PointwiseTile(8, vectors, 8, k_unroll=4, pixels_outer=False, sharing=sharing)
    assert error_of(w, tile) < 5e-5
    assert (
        error_of(dataclasses.replace(w, load_rows=3, stored_channels=70, first_channel=5), tile)
        < 5e-5
    )


def test_a_vector_is_shared_where_that_was_measured_and_pixels_fill_it() -> None:
    w = PointwiseWorkload(3, 20, 80, 784, True, False, layout="channels")
    assert default_tile(w, AVX2).sharing == 2
    assert default_tile(w, AVX512).sharing == 1
    assert sharing_of(w, 3, 3, 8) == 1  # an odd pixel would be left
    assert sharing_of(w, 4, 2, 8) == 1  # the vector is another tile's
    assert sharing_of(dataclasses.replace(w, outputs=17), 8, 3, 8) == 1  # no vector of one
    assert sharing_of(dataclasses.replace(w, outputs=21), 8, 3, 8) == 1
    assert sharing_of(dataclasses.replace(w, layout="planes"), 4, 3, 8) == 1


def test_groups_are_walked_inside_where_the_pictures_exceed_the_cache() -> None:
    """48 x 8 channels at 28x28 are 1.2 MB, with their inputs 1.5, of an L2 of 1 MB."""
    w = PointwiseWorkload(8, 48, 12, 784, True, True, layout="channels")
    assert default_tile(w, AVX2).groups_inner
    assert not default_tile(dataclasses.replace(w, pixels=196), AVX2).groups_inner
    assert not default_tile(dataclasses.replace(w, layout="planes"), AVX2).groups_inner


@pytest.mark.parametrize("core", [A72, AVX512], ids=lambda core: core.name)
@pytest.mark.parametrize("name", WORKLOADS)
def test_the_accumulators_fit_the_registers(name: str, core: Core) -> None:
    w = workload_of(name)
    tile = default_tile(w, core)
    assert tile.rows * tile.vectors <= accumulator_budget(core, tile.row_lanes)
    assert tile.rows <= w.outputs
    assert tile.vectors * tile.lanes <= w.pixels
    assert w.inputs % tile.k_unroll == 0


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
