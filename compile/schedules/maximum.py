"""The larger of two values, in the instruction that the core has for it.

TIR's max is a comparison and a selection. x86 has that as one instruction (vmaxps), AArch64 as two;
its fmaxnm is what LLVM calls maxnum, which on x86 would cost three. They differ only for NaN.

Bits of a float32 are ordered as an integer's as long as one of two is not negative, so that a ReLU
is a maximum of integers, too, which an A72 has in half the time of an fmaxnm: 0.2 of 38 M modelled
cycles of 1x g3 (2026-11-24).
"""

from __future__ import annotations

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from deploy_rpc.cores import Core

FLOAT = "float32"
ZERO = tirx.const(0, FLOAT)


def has_maxnum(core: Core) -> bool:
    """Whether maxnum is one instruction of `core`."""
    return core.isa == "aarch64"


def larger(a: tirx.Expr, b: tirx.Expr, *, maxnum: bool) -> tirx.Expr:
    """The larger of two float32 values, or vectors of them."""
    return T.call_llvm_pure_intrin(str(a.ty), "llvm.maxnum", a, b) if maxnum else tirx.max(a, b)


def rectified(value: tirx.Expr, *, maxnum: bool) -> tirx.Expr:
    """ReLU of a float32 value, or vector of them; as integers where the core has maxnum."""
    return larger_for_relu(value, ZERO, maxnum=maxnum)


def larger_for_relu(a: tirx.Expr, b: tirx.Expr, *, maxnum: bool) -> tirx.Expr:
    """The larger of two float32 values, or either where both are negative: for a ReLU the same."""
    if not maxnum:
        return tirx.max(a, b)
    bits = tirx.max(_bits(a), _bits(b))
    return tirx.reinterpret(str(a.ty), bits)


def _bits(value: tirx.Expr) -> tirx.Expr:
    as_integer = str(value.ty).replace(FLOAT, "int32")
    return tirx.const(0, "int32") if value is ZERO else tirx.reinterpret(as_integer, value)
