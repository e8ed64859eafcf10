"""A convolution that our templates know, as TVM defines it: loops that nothing has scheduled yet.

In planes and without the channel shuffle, which TVM does not fuse; the bias is always there.
"""

from __future__ import annotations

import math

from tvm import te, tirx, topi

from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.templates import Convolution

WEIGHTS = 1  # the buffer that may be packed ahead


def plain_kernel(workload: Convolution) -> tirx.PrimFunc:
    """main(X (1, IC, H, W), W (OC, IC / groups, K, K), B (OC,)[, R], Y (1, OC, OH, OW)).

    R is the shortcut. No loop is scheduled yet. Pixels of a pointwise convolution are a square, or
    else one row.
    """
    if isinstance(workload, PointwiseWorkload):
        side = math.isqrt(workload.pixels)
        size = (side, side) if side**2 == workload.pixels else (1, workload.pixels)
        kernel, stride, padding, shortcut = (1, 1), 1, 0, workload.shortcut
    else:
        size, kernel, stride = workload.size, workload.kernel, workload.stride
        padding, shortcut = list(workload.padding), False
    x = te.placeholder((1, workload.groups * workload.inputs, *size), name="x")
    weights = te.placeholder((workload.channels, workload.inputs, *kernel), name="w")
    bias = te.placeholder((workload.channels,), name="b")
    sums = topi.nn.group_conv2d_nchw(x, weights, stride, padding, 1, workload.groups)
    added = [te.placeholder(sums.shape, name="r")] if shortcut else []

    def finished(*at: tirx.Var) -> tirx.Expr:
        value = sums[at] + bias[at[1]]
        for each in added:
            value += each[at]
        return tirx.max(value, tirx.const(0.0, value.ty.dtype)) if workload.relu else value

    y = te.compute(sums.shape, finished, name="y")
    function = te.create_prim_func([x, weights, bias, *added, y])
    attributes = {"global_symbol": "main", "layout_free_buffers": [WEIGHTS]}
    return function.with_attrs(attributes)
