"""Tile sizes that fit a core's registers, computed from its vector length and register count."""

from __future__ import annotations


def divisors(extent: int) -> list[int]:
    """All divisors of `extent`, ascending."""
    return [factor for factor in range(1, extent + 1) if extent % factor == 0]


def vector_width(extent: int, lanes: int) -> int:
    """The largest power of two that divides `extent`, at most `lanes`.

    A power of two, because LLVM splits any other vector that lives across a loop's back edge into
    scalars: `<28 x float>` accumulators ran at 3.9 GFLOP/s, `<4 x float>` ones at 49 (one x86
    thread, AVX-512, 216x20 channels at 28x28, 2026-11-23). A divisor, because a tail is predicated.
    """
    return max(width for width in divisors(extent) if width <= lanes and width & (width - 1) == 0)


def largest_divisor(extent: int, limit: int) -> int:
    """The largest divisor of `extent` that is at most `limit` (at least 1)."""
    return max(factor for factor in divisors(extent) if factor <= max(limit, 1))
