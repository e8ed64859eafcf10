"""Kernels of int8 give, bit for bit, what whole numbers say, on whatever core they are made for."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import numpy as np
import pytest
import tvm
from tvm.target import codegen

from compile.quantise.kernel_reference import kernel_reference
from compile.schedules.int8_lanes import MULTIPLIER_BITS, dots_of
from compile.schedules.int8_workloads import (
    Int8DenseWorkload,
    Int8PointwiseWorkload,
    Int8WindowWorkload,
)
from compile.schedules.templates import Made, made_by_default
from compile.schedules.window_workload import WindowWorkload
from compile.targets import host_target
from compile.tuning.integers import drawn_integers
from deploy_rpc.cores import Core, find_core

CORES = {  # by their products, as this machine computes them
    "single": find_core("cortex-a72"),
    "pairs": Core("wide", "x86_64", "x86-64-v3", 256, 16, 16, 32, 8, 512, 8),
}
MACHINES = {"single": {"kind": "llvm"}, "pairs": {"kind": "llvm", "mcpu": "x86-64-v3"}}
PRODUCTS = [
    "single",
    pytest.param(
        "pairs",
        marks=pytest.mark.skipif(
            not codegen.target_has_features("avx2", host_target().tvm), reason="no AVX2 here"
        ),
    ),
]
P = partial(Int8PointwiseWorkload, shift=4)
W = partial(Int8WindowWorkload, "conv", shift=4)
PICTURE = {"picture_scale": 40.0, "zero": 3}
INT8 = {"dtype": "int8", "result_dtype": "int8"}

# fmt: off
WORKLOADS = {
    "whole tiles":             P(3, 20, 80, 56, True, False),
    "shuffle behind":          P(3, 8, 12, 56, True, False, shuffle_rows=3),
    "shuffle before":          P(3, 8, 12, 28, False, False, load_rows=12),
    "7x7 with a shortcut":     P(2, 24, 20, 49, True, True),
    "14x14 with a shortcut":   P(1, 8, 10, 196, True, True),
    "sums in 16 bits":         P(3, 8, 12, 56, False, True, narrow=True),
    "a floor above the least": P(1, 8, 16, 28, True, False, lowest=-3),
    "fewer pixels than lanes": P(1, 10, 24, 3, False, False),
    "a prime of everything":   P(1, 13, 7, 53, False, True),
    "depthwise 28x28":         W(4, 1, 1, (28, 28), (3, 3), 1, (1, 1), zero=-128),
    "depthwise of stride 2":   W(4, 1, 1, (28, 28), (3, 3), 2, (1, 1), zero=7),
    "depthwise 7x7":           W(4, 1, 1, (7, 7), (3, 3), 1, (1, 1)),
    "depthwise 9x13":          W(4, 1, 1, (9, 13), (3, 3), 1, (1, 1), zero=-128),
    "depthwise of odd size":   W(4, 1, 1, (15, 11), (3, 3), 2, (1, 1)),
    "5x3 of one column":       W(2, 1, 1, (9, 3), (5, 3), 1, (2, 0)),
    "four taps a row":         W(2, 1, 1, (12, 20), (2, 4), 1, (0, 1)),
    "average":                 Int8WindowWorkload("average", 4, 1, 1, (15, 20), (3, 3), 2, (1, 1)),
    "stem":                    W(1, 8, 3, (32, 32), (3, 3), 2, (1, 1), relu=True, **PICTURE),
    "stem of odd size":        W(1, 5, 3, (17, 9), (3, 3), 2, (1, 1), **PICTURE),
    "stem of stride 1":        W(1, 8, 3, (12, 20), (3, 3), 1, (1, 1), **PICTURE),
    "max pool":                WindowWorkload("max", 4, 1, 1, (16, 16), (3, 3), 2, (1, 1), **INT8),
    "max pool of odd size":    WindowWorkload("max", 4, 1, 1, (9, 11), (3, 3), 2, (1, 1), **INT8),
    "dense":                   Int8DenseWorkload(40, 30, True),
    "head with its pool":      Int8DenseWorkload(10, 62, False, 49, shift=4),
    "head of three classes":   Int8DenseWorkload(3, 16, False, 4, shift=4),
}
# fmt: on


def inputs_of(made: Made) -> list[np.ndarray]:
    """Of all buffers but the last."""
    return drawn_integers(made)[:-1]


def expected_of(made: Made, inputs: list[np.ndarray]) -> np.ndarray:
    return kernel_reference(made)(made, inputs)[0]


def answer(made: Made, inputs: list[np.ndarray], products: str = "single") -> np.ndarray:
    """Of the kernel, compiled for this machine and its `products`."""
    output = made.kernel().params[-1]
    zeros = np.zeros([int(extent) for extent in output.shape], str(output.dtype))
    kernel = made.kernel().with_attr("global_symbol", "main")
    placed = [tvm.runtime.tensor(value) for value in (*inputs, zeros)]
    tvm.compile(kernel, target=MACHINES[products])["main"](*placed)
    return placed[-1].numpy()


@pytest.mark.parametrize("products", PRODUCTS)
@pytest.mark.parametrize("name", WORKLOADS)
def test_a_kernel_gives_what_whole_numbers_say(name: str, products: str) -> None:
    made = made_by_default(WORKLOADS[name], CORES[products], 1)
    inputs = inputs_of(made)
    result, expected = answer(made, inputs, products), expected_of(made, inputs)
    np.testing.assert_array_equal(result, expected.reshape(result.shape))
    assert len(np.unique(result)) > 2


@pytest.mark.parametrize("name", ["whole tiles", "depthwise 28x28", "stem", "head with its pool"])
def test_two_threads_give_the_same(name: str) -> None:
    made = made_by_default(WORKLOADS[name], CORES["single"], 2)
    inputs = inputs_of(made)
    result = answer(made, inputs)
    np.testing.assert_array_equal(result, expected_of(made, inputs).reshape(result.shape))


@pytest.mark.parametrize("products", PRODUCTS)
def test_the_largest_sums_end_at_the_bounds_of_int8(products: str) -> None:
    made = made_by_default(WORKLOADS["7x7 with a shortcut"], CORES[products], 1)
    for x, weight, bound in ((-128, -127, 127), (-128, 127, -128)):
        inputs = inputs_of(made)
        inputs[0][:], inputs[1][:] = x, weight
        inputs[2][:], inputs[3][:] = np.sign(bound) * (1 << 28), 1 << 30
        assert set(np.unique(answer(made, inputs, products))) == {bound}


def test_the_smallest_multiplier_makes_nothing_of_a_sum() -> None:
    made = made_by_default(WORKLOADS["whole tiles"], CORES["single"], 1)
    inputs = inputs_of(made)
    inputs[3][:] = 1
    assert not answer(made, inputs).any()


def test_a_half_is_rounded_up() -> None:
    """1.5, 0.5, -0.5 and -1.5 steps: by the definition, and not to even as floats are."""
    workload = Int8PointwiseWorkload(1, 4, 1, 16, False, False, shift=4)
    made = made_by_default(workload, CORES["single"], 1)
    inputs = inputs_of(made)
    inputs[0][:] = 0
    inputs[2][:] = np.array([24, 8, -8, -24]) << 1
    inputs[3][:] = 1 << (MULTIPLIER_BITS - 1)
    np.testing.assert_array_equal(answer(made, inputs)[:, 0], [2, 1, 0, -1])


def test_a_picture_beyond_all_bounds_is_cut_off_and_nan_is_the_least() -> None:
    made = made_by_default(WORKLOADS["stem"], CORES["single"], 1)
    inputs = inputs_of(made)
    odd = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-40, -0.0]
    inputs[0].flat[: len(odd)] = odd
    np.testing.assert_array_equal(answer(made, inputs), expected_of(made, inputs))


def test_pixels_behind_the_last_change_nothing() -> None:
    """Three pixels of a vector of eight: what is read for the others may be anything."""
    made = made_by_default(WORKLOADS["fewer pixels than lanes"], CORES["single"], 1)
    wide = dataclasses.replace(made.tile, vectors=2)
    inputs = inputs_of(made)
    both = [answer(dataclasses.replace(made, tile=tile), inputs) for tile in (made.tile, wide)]
    np.testing.assert_array_equal(*both)


@pytest.mark.parametrize(
    ("core", "dots"),
    [("neoverse-n1", "sdot"), ("cortex-a72", "single"), ("cortex-a7", "single")],
)
def test_a_core_has_the_products_that_it_can_do(core: str, dots: str) -> None:
    assert dots_of(find_core(core)) == dots


def made_with(workload: Any, **tile: Any) -> Made:  # noqa: ANN401
    made = made_by_default(workload, CORES["single"], 1)
    return dataclasses.replace(made, tile=dataclasses.replace(made.tile, **tile))


@pytest.mark.parametrize(
    ("name", "tile"),
    [
        ("7x7 with a shortcut", {"rows": 1, "vectors": 1, "k_unroll": 4}),
        ("7x7 with a shortcut", {"rows": 3, "vectors": 5, "pixels_inner": True}),
        ("7x7 with a shortcut", {"rows": 8, "vectors": 3, "k_unroll": 2, "pixels_inner": True}),
        ("7x7 with a shortcut", {"rows": 5, "vectors": 2}),
        ("stem", {"rows": 3, "vectors": 2, "k_unroll": 3}),
        ("head with its pool", {"vectors": 3, "k_unroll": 2}),
    ],
)
def test_every_tile_gives_the_same(name: str, tile: dict[str, int]) -> None:
    made = made_with(WORKLOADS[name], **tile)
    inputs = inputs_of(made)
    result = answer(made, inputs)
    np.testing.assert_array_equal(result, expected_of(made, inputs))
