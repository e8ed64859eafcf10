"""What a pool makes of values: where it starts, how two become one, what a mean divides by."""

from __future__ import annotations

import math

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.maximum import larger
from compile.schedules.spans import Index
from compile.schedules.window_workload import WindowWorkload


def neutral(workload: WindowWorkload) -> tirx.Expr:
    """What changes no result: where a pool starts, and what its border holds."""
    least = -128 if workload.dtype == "int8" else -math.inf
    return tirx.const(least if workload.kind == "max" else 0, workload.dtype)


def combined(
    workload: WindowWorkload, so_far: tirx.Expr, value: tirx.Expr, *, maxnum: bool
) -> tirx.Expr:
    """What a pool makes of two values."""
    if workload.kind != "max":
        return so_far + value
    if not maxnum and not isinstance(so_far, tirx.Var):
        so_far = T.bind(so_far)  # it is looked at twice, and so would be all that is in it
    return larger(so_far, value, maxnum=maxnum)


def share_of_a_tap(workload: WindowWorkload, row: Index, column: Index) -> tirx.Expr:
    """What a mean multiplies the sum of the window at (`row`, `column`) by."""
    if workload.kind == "average":
        return tirx.const(1 / (workload.kernel[0] * workload.kernel[1]), workload.dtype)
    taps = 1
    for axis, place in enumerate((row, column)):
        first = place * workload.stride - workload.padding[axis]
        end = tirx.min(first + workload.kernel[axis], workload.size[axis])
        taps = taps * (end - tirx.max(first, 0))
    return tirx.const(1, workload.dtype) / tirx.Cast(workload.dtype, taps)
