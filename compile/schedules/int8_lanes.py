"""What int8 kernels do with vectors: products of whole groups of values, and the way back to int8.

    sdot    sum[i] += x[4i .. 4i+3] . w[0..3]       AArch64 with DotProd: one instruction
    pairs   sum[i] += x[2i .. 2i+1] . w[0..1]       x86: vpmaddwd of int16, and vpaddd
    single  sum[i] += x[i] * w                      any other core: a widening multiply-add of int16

A sum is int32 and exact. It becomes int8 by a multiplier and a shift, the same on every core:

    v = (sum * multiplier + 2^30) >> 31
    q = clamp(((v + 2^(shift - 1)) >> shift) + r, lowest, 127)

with an r of what is added behind, a shortcut. 0 < multiplier <= 2^30 and 0 < shift <= 16, so that
no intermediate value leaves int32. Where the weights allow no sum whose v and r, shifted, leave
int16, a workload is `narrow`: AArch64 then takes the low halves of two vectors in one instruction
that runs on either of a Neoverse N1's pipes, where a saturating shift runs on one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.spans import pieces, span
from deploy_rpc.cores import Core

Dots = Literal["sdot", "pairs", "single"]
DEPTHS: dict[Dots, int] = {"sdot": 4, "pairs": 2, "single": 1}
STORED: dict[Dots, str] = {"sdot": "int8", "pairs": "int16", "single": "int16"}
OCTET = 8  # values that become int8 together
MULTIPLIER_BITS = 31
LOWEST, HIGHEST = -128, 127


@dataclass(frozen=True)
class Ending:
    """What makes int8 of a sum, besides its multiplier."""

    shift: int
    lowest: int = LOWEST
    narrow: bool = False


def dots_of(core: Core) -> Dots:
    """The products that `core` is fastest at."""
    if core.isa == "aarch64" and core.dot:
        return "sdot"
    return "pairs" if core.isa == "x86_64" and core.vector_bits >= 256 else "single"


def sum_lanes(core: Core) -> int:
    """Sums in one vector register; those of AVX-512 are as long as AVX2's."""
    return min(core.vector_bits, 256) // 32


def broadcast_weights(
    dots: Dots,
    lanes: int,
    weights: tirx.Buffer,
    at: list[tirx.Expr],
    rows: int,
) -> list[tirx.Expr]:
    """The weights of a step for each of `rows`, in all lanes; they lie side by side, from `at`.

    Not of pairs, of which all rows at once would take too many of x86's registers.
    """
    if dots == "single":
        every = [weights[(*at[:-1], at[-1] + row)] for row in range(rows)]
        return [T.Broadcast(tirx.Cast("int16", each), lanes) for each in every]
    splats = []
    while len(splats) < rows:
        count = next(n for n in (4, 2, 1) if len(splats) + n <= rows)
        first = at[-1] + 4 * len(splats)
        loaded = weights[(*at[:-1], T.Ramp(first, 1, 4 * count))]
        words = T.bind(tirx.reinterpret(f"int32x{count}" if count > 1 else "int32", loaded))
        for lane in range(count):
            whole = [words] * (4 // count)  # a shuffle is no longer than what it takes from
            splat = tirx.Shuffle(whole, [lane] * 4) if count > 1 else T.Broadcast(words, 4)
            splats.append(tirx.reinterpret("int8x16", splat))
    return splats


def windows_of(loaded: tirx.Expr, lanes: int, stride: int, taps: int, depth: int) -> tirx.Expr:
    """For each of `lanes` `depth` values of `loaded` from lane * `stride` on; `taps` of them count.

    The others, whose weights are 0, are the last value: LLVM would else load fewer bytes than a
    vector, in pieces of which each is an instruction.
    """
    last = int(loaded.ty.dtype.lanes) - 1
    order = [
        lane * stride + tap if tap < taps else last for lane in range(lanes) for tap in range(depth)
    ]
    return tirx.Shuffle([loaded], order)


def add_dot(
    dots: Dots, lanes: int, so_far: tirx.Expr, values: tirx.Expr, weights: tirx.Expr
) -> tirx.Expr:
    """`so_far`, int32 sums, and the products of `values` and broadcast `weights`."""
    of = f"int32x{lanes}"
    if dots == "sdot":
        return T.call_llvm_pure_intrin(of, "llvm.aarch64.neon.sdot", so_far, values, weights)
    if dots == "pairs" and lanes == 8:
        return so_far + T.call_llvm_pure_intrin(of, "llvm.x86.avx2.pmadd.wd", values, weights)
    return so_far + tirx.Cast(of, values) * tirx.Cast(of, weights)


def requantised(
    dots: Dots,
    sums: list[tirx.Expr],
    multipliers: list[tirx.Expr],
    ending: Ending,
    added: tirx.Expr | None = None,
) -> tirx.Expr:
    """An octet of int8 of its `sums`, one or two vectors, each with its vector of multipliers.

    `added` is an octet of int8, too.
    """
    if dots == "sdot":
        return _requantised_by_neon(sums, multipliers, ending, added)
    narrow = [
        _scaled(each, multiplier, ending.shift)
        for each, multiplier in zip(sums, multipliers, strict=True)
    ]
    if len(narrow) == 1 and int(narrow[0].ty.dtype.lanes) < OCTET:
        narrow *= 2
    whole = narrow[0] if len(narrow) == 1 else tirx.Shuffle(narrow, list(range(OCTET)))
    if added is not None:
        whole = whole + tirx.Cast(f"int32x{OCTET}", added)
    low, high = (T.Broadcast(tirx.const(v, "int32"), OCTET) for v in (ending.lowest, HIGHEST))
    return tirx.Cast(f"int8x{OCTET}", tirx.min(tirx.max(whole, low), high))


def _scaled(value: tirx.Expr, multiplier: tirx.Expr, shift: int) -> tirx.Expr:
    """By the definition above, before anything is added."""
    lanes = int(value.ty.dtype.lanes)
    wide, narrow = f"int64x{lanes}", f"int32x{lanes}"

    def every(constant: int, dtype: str) -> tirx.Expr:
        return T.Broadcast(tirx.const(constant, dtype), lanes)

    product = tirx.Cast(wide, value) * tirx.Cast(wide, multiplier)
    rounded = product + every(1 << (MULTIPLIER_BITS - 1), "int64")
    high = tirx.Cast(narrow, rounded >> every(MULTIPLIER_BITS, "int64"))
    return (high + every(1 << (shift - 1), "int32")) >> every(shift, "int32")


def _requantised_by_neon(
    sums: list[tirx.Expr],
    multipliers: list[tirx.Expr],
    ending: Ending,
    added: tirx.Expr | None,
) -> tirx.Expr:
    scaled = [
        T.call_llvm_pure_intrin("int32x4", "llvm.aarch64.neon.sqrdmulh", each, multiplier)
        for each, multiplier in zip(sums, multipliers, strict=True)
    ]
    scaled = scaled if len(scaled) == 2 else scaled * 2
    wide = None if added is None else tirx.Cast("int16x8", added)
    octet = (_narrow_octet if ending.narrow else _octet)(scaled, ending.shift, wide)
    if ending.lowest == LOWEST:
        return octet
    return tirx.max(octet, T.Broadcast(tirx.const(ending.lowest, "int8"), OCTET))


def _narrow_octet(scaled: list[tirx.Expr], shift: int, added: tirx.Expr | None) -> tirx.Expr:
    """int8x8 of two int32x4 whose upper halves are their signs."""
    halves = [tirx.reinterpret("int16x8", T.bind(each)) for each in scaled]
    whole = tirx.Shuffle(halves, list(range(0, 2 * OCTET, 2)))
    if added is not None:
        whole = whole + (added << T.Broadcast(tirx.const(shift, "int16"), OCTET))
    by = tirx.const(shift, "int32")
    return T.call_llvm_pure_intrin("int8x8", "llvm.aarch64.neon.sqrshrn", whole, by)


def _octet(scaled: list[tirx.Expr], shift: int, added: tirx.Expr | None) -> tirx.Expr:
    """int8x8 of two int32x4."""
    by = tirx.const(shift, "int32")
    halves = [
        T.call_llvm_pure_intrin("int16x4", "llvm.aarch64.neon.sqrshrn", each, by) for each in scaled
    ]
    whole = tirx.Shuffle(halves, list(range(OCTET)))
    if added is not None:
        whole = T.call_llvm_pure_intrin("int16x8", "llvm.aarch64.neon.sqadd", whole, added)
    return T.call_llvm_pure_intrin("int8x8", "llvm.aarch64.neon.sqxtn", whole)


def store_octets(octets: list[tirx.Expr], count: int, y: tirx.Buffer, at: list[tirx.Expr]) -> None:
    """Writes the first `count` values of `octets` side by side from `at` on, as few as it takes."""
    bound = [T.bind(each) for each in octets]
    for first, width in pieces(count):
        place = [*at[:-1], span(at[-1] + first, width)]
        octet, lane = divmod(first, OCTET)
        if width == 2 * OCTET:
            value = tirx.Shuffle(bound[octet : octet + 2], list(range(width)))
        elif width == OCTET:
            value = bound[octet]
        else:
            value = tirx.Shuffle([bound[octet]], list(range(lane, lane + width)))
        T.buffer_store(y, value, place)


def load_octets(count: int, x: tirx.Buffer, at: list[tirx.Expr]) -> list[tirx.Expr]:
    """Octets of the `count` values from `at` on; nothing behind them is read."""
    whole, rest = divmod(count, OCTET)
    octets = [x[(*at[:-1], T.Ramp(at[-1] + OCTET * i, 1, OCTET))] for i in range(whole)]
    if not rest:
        return octets
    if rest == OCTET // 2:
        four = x[(*at[:-1], T.Ramp(at[-1] + OCTET * whole, 1, rest))]
        return [*octets, tirx.Shuffle([four, four], list(range(OCTET)))]
    few = T.alloc_buffer((OCTET,), str(x.dtype), scope="local")
    for lane in range(OCTET):
        source = at[-1] + OCTET * whole + min(lane, rest - 1)
        T.buffer_store(few, x[(*at[:-1], source)], [lane])
    return [*octets, few[T.Ramp(0, 1, OCTET)]]
