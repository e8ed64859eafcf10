"""int8 of sums and of real values, by definition: rounded, and kept in range."""

from __future__ import annotations

import numpy as np

from compile.quantise.int8_values import dequantised, quantised, requantised
from compile.schedules.int8_lanes import MULTIPLIER_BITS


def test_sums_are_scaled_rounded_shifted_and_clipped() -> None:
    sums = np.array([0, 16, 24, 23, -24, 100_000, -100_000], np.int64)
    one = np.array(1 << MULTIPLIER_BITS, np.int64)
    assert requantised(sums, one, 4, 0, -128).tolist() == [0, 1, 2, 1, -1, 127, -128]
    assert requantised(sums, one, 4, 5, 5).tolist() == [5, 6, 7, 6, 5, 127, 5]


def test_real_values_are_rounded_to_even_and_nan_is_the_lowest() -> None:
    real = np.array([0.0, 0.5, 1.5, -1.0, np.inf, -np.inf, np.nan], np.float32)
    assert quantised(real, 1.0, 0).tolist() == [0, 0, 2, -1, 127, -128, -128]
    assert quantised(real, 2.0, -128).tolist() == [-128, -127, -125, -128, 127, -128, -128]


def test_what_is_brought_back_is_no_more_than_half_a_step_away() -> None:
    real = np.linspace(-1, 1, 101, dtype=np.float32)
    scale, zero = np.float32(1 / 100), np.int32(3)
    back = dequantised(quantised(real, 1 / scale, zero), scale, zero)
    assert np.abs(back - real).max() <= scale / 2 + 1e-6
