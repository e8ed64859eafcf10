"""The reference of an int8 kernel is its sums in whole numbers, written out."""

from __future__ import annotations

import numpy as np

from compile.quantise.int8_values import requantised
from compile.quantise.kernel_reference import kernel_reference
from compile.schedules.int8_workloads import Int8PointwiseWorkload
from compile.schedules.packing import unpacked
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.templates import made_by_default
from compile.tuning.integers import drawn_integers
from tests.cores import N1


def test_a_grouped_pointwise_kernel_is_a_sum_for_each_output_and_pixel() -> None:
    w = Int8PointwiseWorkload(2, 4, 6, 9, True, False, shift=4, shuffle_rows=2)
    made = made_by_default(w, N1, 1)
    x, packed, bias, multipliers = operands = drawn_integers(made)[:-1]
    weights = unpacked(packed, made).reshape(8, 6).astype(np.int64)
    (given,) = kernel_reference(made)(made, operands)
    for channel in range(8):
        inputs = x.reshape(12, 9)[channel // 4 * 6 :][:6].astype(np.int64)
        sums = weights[channel] @ inputs + bias[channel]
        expected = requantised(sums, multipliers[channel], w.shift, 0, w.lowest)
        stored = channel % 4 * 2 + channel // 4
        np.testing.assert_array_equal(given[stored], expected)


def test_a_kernel_of_floats_has_none() -> None:
    made = made_by_default(PointwiseWorkload(1, 4, 6, 9, True, False), N1, 1)
    assert kernel_reference(made) is None
