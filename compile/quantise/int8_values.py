"""int8 of sums and of float32 values, and back, by definition: in int64, rounded as kernels do."""

from __future__ import annotations

import numpy as np

from compile.schedules.int8_lanes import HIGHEST, LOWEST, MULTIPLIER_BITS

Values = np.ndarray


def requantised(
    sums: Values, multipliers: Values, shift: int, added: Values | int, lowest: int
) -> Values:
    """int8 of int64 `sums`, with `multipliers` that broadcast to them."""
    high = (sums * multipliers.astype(np.int64) + (1 << (MULTIPLIER_BITS - 1))) >> MULTIPLIER_BITS
    scaled = (high + (1 << (shift - 1))) >> shift
    return np.clip(scaled + added, lowest, HIGHEST).astype(np.int8)


def quantised(x: Values, scales: Values | float, zeros: Values | int) -> Values:
    """int8 of float32 values, with constants that broadcast to them; NaN is the lowest."""
    centres = np.int64(zeros)
    low, high = (np.float32(bound - centres) for bound in (LOWEST, HIGHEST))
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.float32(scales) * x.astype(np.float32)
    above = np.where(scaled > low, scaled, low)
    within = np.where(above < high, above, high)
    return (np.rint(within).astype(np.int64) + centres).astype(np.int8)


def dequantised(q: Values, scales: Values, zeros: Values) -> Values:
    """float32 of int8 values, with constants that broadcast to them."""
    return (q.astype(np.int32) - zeros).astype(np.float32) * scales
