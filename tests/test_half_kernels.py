"""Kernels in float16 give what the same kernels give in float32, but for rounding.

Run on this machine, which converts: each product and each sum is rounded, where an ARM core rounds
once for both.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.packing import WEIGHTS, indices_of
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.stem_pool_workload import StemPoolWorkload
from compile.schedules.templates import Made, made_by_default
from compile.schedules.window_workload import WindowWorkload
from compile.tuning.candidate import answer_here
from deploy_rpc.cores import find_core

N1 = find_core("neoverse-n1")
HALF = {"dtype": "float16", "result_dtype": "float16"}
MOST_ERROR = 5e-3  # of the range: 160 sums, each rounded to 5e-4 of itself, mostly cancelling

# fmt: off
WORKLOADS = {
    "pixels in whole vectors":   PointwiseWorkload(3, 20, 80, 56, True, False, shuffle_rows=3),
    "14x14, half a vector left": PointwiseWorkload(2, 40, 160, 196, True, True),
    "7x7, one pixel left":       PointwiseWorkload(3, 24, 20, 49, True, True, load_rows=20),
    "fewer pixels than lanes":   PointwiseWorkload(1, 10, 24, 3, False, False),
    "a prime of everything":     PointwiseWorkload(1, 13, 7, 53, False, False),
    "depthwise 28x28":           WindowWorkload("conv", 6, 1, 1, (28, 28), (3, 3), 1, (1, 1)),
    "depthwise of stride 2":     WindowWorkload("conv", 6, 1, 1, (28, 28), (3, 3), 2, (1, 1)),
    "depthwise 7x7":             WindowWorkload("conv", 6, 1, 1, (7, 7), (3, 3), 1, (1, 1)),
    "depthwise 14x14 to 7x7":    WindowWorkload("conv", 6, 1, 1, (14, 14), (3, 3), 2, (1, 1)),
    "average pool to 7x7":       WindowWorkload("average", 6, 1, 1, (14, 14), (3, 3), 2, (1, 1)),
    "5x5 of two groups":         WindowWorkload("conv", 2, 6, 4, (13, 13), (5, 5), 1, (2, 2), True),
    "average pool":              WindowWorkload("average", 6, 1, 1, (28, 28), (3, 3), 2, (1, 1)),
    "average pool of odd size":  WindowWorkload("average", 6, 1, 1, (9, 11), (3, 3), 2, (1, 1)),
    "max pool":                  WindowWorkload("max", 6, 1, 1, (16, 16), (3, 3), 2, (1, 1)),
    "dense":                     DenseWorkload(40, 160, True),
    "head with its pool":        DenseWorkload(20, 960, False, 49),
}
# fmt: on


def in_half(workload: Any) -> Any:  # noqa: ANN401 (any template's workload)
    fields = {field.name for field in dataclasses.fields(workload)}
    return dataclasses.replace(workload, **{n: v for n, v in HALF.items() if n in fields})


def answers(made: Made) -> np.ndarray:
    """Of values that float16 holds, drawn for the workload and converted to the kernel's types."""
    random = np.random.default_rng(0)
    buffers = made.kernel().params
    values = [random.standard_normal([int(n) for n in b.shape]).astype("float16") for b in buffers]
    if len(buffers) > 2:
        weights = np.random.default_rng(1).standard_normal(indices_of(made.workload).shape)
        values[WEIGHTS] = np.ascontiguousarray(made.packed(weights.astype("float16")))
        for number in range(2, len(buffers)):
            drawn = np.random.default_rng(number).standard_normal(values[number].shape)
            values[number] = drawn.astype("float16")
    first = np.random.default_rng(9).standard_normal(values[0].shape)
    values[0] = first.astype("float16")
    typed = [value.astype(str(b.dtype)) for value, b in zip(values, buffers, strict=True)]
    return answer_here(made.kernel(), typed)


@pytest.mark.parametrize("name", WORKLOADS)
def test_float16_differs_from_float32_by_rounding_only(name: str) -> None:
    workload = WORKLOADS[name]
    half = made_by_default(in_half(workload), N1, 1)
    result = answers(half)
    assert result.dtype == np.float16
    expected = answers(made_by_default(workload, N1, 1))
    error = np.abs(result.astype(np.float32) - expected).max() / np.ptp(expected)
    assert error < MOST_ERROR
    assert error > 0 or workload.macs == 0


def test_a_stem_of_float32_rounds_its_result_only() -> None:
    workload = StemPoolWorkload(8, 3, (32, 32))
    made = made_by_default(dataclasses.replace(workload, result_dtype="float16"), N1, 1)
    expected = answers(made_by_default(workload, N1, 1)).astype(np.float16)
    np.testing.assert_array_equal(answers(made), expected)


def test_a_long_dense_layer_is_added_in_short_sums() -> None:
    made = made_by_default(DenseWorkload(1000, 960, False, dtype="float16"), N1, 1)
    assert made.tile.sums == 8
    assert str(made.kernel().params[-1].dtype) == "float32"
