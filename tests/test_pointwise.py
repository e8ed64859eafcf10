"""The pointwise template gives its definition for every shape, and fits the core's registers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tvm

from compile.schedules.pointwise import (
    PointwiseTile,
    PointwiseWorkload,
    default_tile,
    pack_weights,
    pointwise,
)
from compile.schedules.registers import accumulator_budget
from deploy_rpc.cores import Core, find_core

A72 = find_core("cortex-a72")
AVX512 = dataclasses.replace(
    A72, name="avx512", isa="x86_64", vector_bits=512, macs_per_cycle=32, l1d_kib=48
)

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
    w: PointwiseWorkload, x: np.ndarray, weights: np.ndarray, bias: np.ndarray, shortcut: np.ndarray
) -> np.ndarray:
    """In float64, the shuffles by NumPy's reshape and transpose."""
    x = x.astype(np.float64)
    if w.load_rows > 1:
        x = x.reshape(w.load_rows, -1, w.pixels).swapaxes(0, 1).reshape(x.shape)
    grouped = weights.reshape(w.groups, w.outputs, w.inputs).astype(np.float64)
    y = np.einsum("gmk,gkn->gmn", grouped, x.reshape(w.groups, w.inputs, w.pixels))
    y = y.reshape(w.channels, w.pixels) + bias[:, None] + (shortcut if w.shortcut else 0)
    y = np.maximum(y, 0) if w.relu else y
    if w.shuffle_rows > 1:
        y = y.reshape(w.shuffle_rows, -1, w.pixels).swapaxes(0, 1).reshape(y.shape)
    return y


def error_of(w: PointwiseWorkload, tile: PointwiseTile, threads: int = 1) -> float:
    """Largest difference between kernel and definition."""
    random = np.random.default_rng(0)
    x = random.standard_normal((w.groups * w.inputs, w.pixels)).astype(np.float32)
    weights = random.standard_normal((w.channels, w.inputs, 1, 1)).astype(np.float32)
    bias = random.standard_normal(w.channels).astype(np.float32)
    shortcut = random.standard_normal((w.channels, w.pixels)).astype(np.float32)
    operands = [x, pack_weights(weights, w, tile), bias, *([shortcut] if w.shortcut else [])]
    unwritten = np.full((w.channels, w.pixels), np.nan, np.float32)
    tensors = [tvm.runtime.tensor(value) for value in (*operands, unwritten)]
    kernel = pointwise(w, tile, threads).with_attr("global_symbol", "main")
    tvm.compile(kernel, target="llvm")["main"](*tensors)
    return np.abs(tensors[-1].numpy() - definition(w, x, weights, bias, shortcut)).max()


@pytest.mark.parametrize("core", [A72, AVX512], ids=lambda core: core.name)
@pytest.mark.parametrize("name", WORKLOADS)
def test_every_shape_gives_its_definition(name: str, core: Core) -> None:
    w = workload_of(name)
    assert error_of(w, default_tile(w, core)) < 5e-5  # float32 sums of up to 80 products of N(0, 1)


@pytest.mark.parametrize("pixels_outer", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
def test_loop_order_and_threads_change_nothing(pixels_outer: bool, threads: int) -> None:
    w = workload_of("two groups, odd rows")
    tile = PointwiseTile(rows=4, vectors=2, lanes=4, k_unroll=2, pixels_outer=pixels_outer)
    assert error_of(w, tile, threads) < 5e-5


@pytest.mark.parametrize("core", [A72, AVX512], ids=lambda core: core.name)
@pytest.mark.parametrize("name", WORKLOADS)
def test_the_accumulators_fit_the_registers(name: str, core: Core) -> None:
    w = workload_of(name)
    tile = default_tile(w, core)
    assert tile.rows * tile.vectors <= accumulator_budget(core)
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
