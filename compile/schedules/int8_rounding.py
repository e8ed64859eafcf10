"""int8 of float32 vectors, the same on every core.

q = round(x * scale) + zero         ties to even, within int8; NaN is the lowest
"""

from __future__ import annotations

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.int8_lanes import HIGHEST, LOWEST, Dots

NEON_LANES = 16


def rounded(value: tirx.Expr, scale: tirx.Expr | None, zero: tirx.Expr, dots: Dots) -> tirx.Expr:
    """Of `value`, one or a vector, with a float32 `scale`, none for 1, and an int32 `zero`."""
    lanes = int(value.ty.dtype.lanes)

    def every(one: tirx.Expr) -> tirx.Expr:
        return T.Broadcast(one, lanes) if lanes > 1 else one

    def of(dtype: str) -> str:
        return f"{dtype}x{lanes}" if lanes > 1 else dtype

    scaled = T.bind(value if scale is None else value * every(scale))
    low, high = (
        every((tirx.const(bound, "int32") - zero).astype("float32")) for bound in (LOWEST, HIGHEST)
    )
    above = T.bind(tirx.Select(scaled > low, scaled, low))
    if dots == "sdot" and lanes == NEON_LANES:
        return _rounded_by_neon(above, zero)
    within = tirx.Select(above < high, above, high)
    even = T.call_llvm_pure_intrin(of("float32"), "llvm.roundeven", within)
    return tirx.Cast(of("int8"), tirx.Cast(of("int32"), even) + every(zero))


def _rounded_by_neon(value: tirx.Expr, zero: tirx.Expr) -> tirx.Expr:
    """The same of 16 values that are not too low; conversions to integers end at their bounds."""
    octets = []
    for octet in range(2):
        halves = []
        for first in (8 * octet, 8 * octet + 4):
            four = tirx.Shuffle([value], list(range(first, first + 4)))
            whole = T.call_llvm_pure_intrin("int32x4", "llvm.aarch64.neon.fcvtns", four)
            halves.append(T.call_llvm_pure_intrin("int16x4", "llvm.aarch64.neon.sqxtn", whole))
        shift = T.Broadcast(zero.astype("int16"), 8)
        eight = tirx.Shuffle(halves, list(range(8)))
        moved = T.call_llvm_pure_intrin("int16x8", "llvm.aarch64.neon.sqadd", eight, shift)
        octets.append(T.call_llvm_pure_intrin("int8x8", "llvm.aarch64.neon.sqxtn", moved))
    return tirx.Shuffle(octets, list(range(NEON_LANES)))
