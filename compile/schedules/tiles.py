"""Tile sizes that fit a core's registers, computed from its vector length and register count."""

from __future__ import annotations

from deploy_rpc.cores import Core


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


def lane_choices(extent: int, core: Core, *, padded: bool = False) -> list[int]:
    """Vector lengths worth trying along an axis of `extent`, the longest first.

    At most `extent`, or the next power of two where a tile may be `padded`. Half a vector only
    where the core's multiply-adds are no wider (Zen 4 runs 512 bits in halves).
    """
    fitting = 1 << ((extent - 1).bit_length() if padded else extent.bit_length() - 1)
    longest = min(core.lanes, fitting)
    halves_for_free = core.macs_per_cycle < 2 * core.lanes and core.vector_bits > 128
    return [longest, longest // 2] if halves_for_free and longest == core.lanes else [longest]
