"""The larger of two values, in the instruction that the core has for it; NaN where one is NaN.

TIR's max is a comparison and a selection: `max(a, b)` is b where one of them is NaN. x86 has that
as one instruction (vmaxps), so that the order of a ReLU's operands lets NaN pass for nothing. A
pool takes the maximum in both orders, one of which is the NaN, and their bits together: 24x112x112
in 64 us instead of 56, where a comparison with NaN takes 109 (AVX2 EPYC, shared, 2026-11-25).
AArch64's fmax, LLVM's `maximum`, is NaN by itself.

Bits of a float are ordered as an integer's as long as one of two is not negative, so that a ReLU
is a maximum of integers, too, which an A72 has in half the time of an fmax: 0.2 of 38 M modelled
cycles of 1x g3 (2026-11-24). A positive NaN is larger than infinity there. A negative one would be
lost, and does not come: `aot/interface/nans.h` has the core make all of them positive.
"""

from __future__ import annotations

from tvm import tirx
from tvm.script.ir_builder import tirx as T
from tvm_ffi import structural_map

from deploy_rpc.cores import Core


def has_maxnum(core: Core) -> bool:
    """Whether maxnum is one instruction of `core`."""
    return core.isa == "aarch64"


def larger(a: tirx.Expr, b: tirx.Expr, *, maxnum: bool) -> tirx.Expr:
    """The larger of two values, or vectors of them; floats are both looked at twice."""
    if "int" in str(a.ty):
        return tirx.max(a, b)
    if maxnum:
        return T.call_llvm_pure_intrin(str(a.ty), "llvm.maximum", a, b)
    either = _bits(tirx.max(a, b)) | _bits(tirx.max(b, a))
    return tirx.reinterpret(str(a.ty), either)


def rectified(value: tirx.Expr, *, maxnum: bool) -> tirx.Expr:
    """ReLU of a value, or vector of them; as integers where the core has maxnum."""
    if maxnum:
        return larger_for_relu(value, None, maxnum=True)
    return tirx.max(tirx.const(0, str(value.ty).split("x")[0]), value)


def at_least(value: tirx.Expr, floor: tirx.Expr, *, maxnum: bool) -> tirx.Expr:
    """The larger of a value, or vector of them, and a `floor` that is a number."""
    return larger(value, floor, maxnum=True) if maxnum else tirx.max(floor, value)


def larger_for_relu(a: tirx.Expr, b: tirx.Expr | None, *, maxnum: bool) -> tirx.Expr:
    """The larger of two values, or either where both are negative: for a ReLU the same.

    Without `b`, which needs `maxnum`, it is 0.
    """
    if not maxnum:
        return larger(a, b, maxnum=False)
    zero = tirx.const(0, _as_integer(a).split("x")[0])
    return tirx.reinterpret(str(a.ty), tirx.max(_bits(a), zero if b is None else _bits(b)))


def ordered_relu(value: tirx.Expr) -> tirx.Expr:
    """ReLU of a vector, its sign cleared: what `larger_for_relu` of maxnum takes on x86, too.

    There a NaN may be negative, which a comparison of integers would lose, and -0 be the result of
    a ReLU.
    """
    bits = _bits(rectified(value, maxnum=False))
    kind, lanes = str(bits.ty).split("x")
    magnitude = tirx.Broadcast(
        tirx.const(2 ** (int(kind.removeprefix("int")) - 1) - 1, kind), int(lanes)
    )
    return tirx.reinterpret(str(value.ty), bits & magnitude)


def with_nan(func: tirx.PrimFunc) -> tirx.PrimFunc:
    """`func` with every maximum and minimum of floats NaN where one operand is.

    max(x, 0) -> max(0, x)        max(x, y) -> Select(isnan(y), y, max(y, x))
    """

    def rewritten(node: tirx.Max | tirx.Min) -> tirx.Expr:
        a, b = node.a, node.b
        if "float" not in str(node.ty) or isinstance(a, tirx.FloatImm):
            return node
        swapped = type(node)(b, a)
        constant = isinstance(b, tirx.FloatImm)
        return swapped if constant else tirx.Select(tirx.isnan(b), b, swapped)

    return structural_map(func, ((tirx.Max, tirx.Min), rewritten))


def _as_integer(value: tirx.Expr) -> str:
    """The type of integers as wide as `value`, or a vector of them."""
    return str(value.ty).replace("float", "int")


def _bits(value: tirx.Expr) -> tirx.Expr:
    return tirx.reinterpret(_as_integer(value), value)
