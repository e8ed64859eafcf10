"""What expressions of Relax are: which operator, of which extents."""

from __future__ import annotations

import tvm
from tvm import relax

IN_PLACE = "relax.call_tir_inplace"
KERNEL_CALLS = ("relax.call_tir", IN_PLACE)
RESHAPE = "relax.reshape"


def operator_of(value: relax.Expr) -> str:
    """The full name of the operator that `value` calls; "" where it is no such call."""
    called = value.op if isinstance(value, tvm.ir.Call) else None
    return called.name if isinstance(called, tvm.ir.Op) else ""


def extents_of(tensor: relax.Expr) -> tuple[int, ...]:
    """The static shape."""
    return tuple(int(extent) for extent in tensor.ty.shape)
