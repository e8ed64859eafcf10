"""The larger of two values, in the instruction that the core has for it.

TIR's max is a comparison and a selection. x86 has that as one instruction (vmaxps), AArch64 as two;
its fmaxnm is what LLVM calls maxnum, which on x86 would cost three. They differ only for NaN.
"""

from __future__ import annotations

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from deploy_rpc.cores import Core

ZERO = tirx.const(0, "float32")


def has_maxnum(core: Core) -> bool:
    """Whether maxnum is one instruction of `core`."""
    return core.isa == "aarch64"


def larger(a: tirx.Expr, b: tirx.Expr, *, maxnum: bool) -> tirx.Expr:
    """The larger of two float32 values, or vectors of them."""
    return T.call_llvm_pure_intrin(str(a.ty), "llvm.maxnum", a, b) if maxnum else tirx.max(a, b)
