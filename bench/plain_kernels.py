"""Six convolutions of ShuffleNet 1x g3, as our templates know them and as TVM defines them.

All in planes and without the channel shuffle, which TVM does not fuse; bias, ReLU and shortcut are
those of the network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tvm import te, tirx, topi

from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.templates import Convolution
from compile.schedules.window import WindowWorkload

WEIGHTS = 1  # the buffer that may be packed ahead


@dataclass(frozen=True)
class PlainKernel:
    """A convolution by the name that it has in the network."""

    name: str
    workload: Convolution


KERNELS = (
    PlainKernel("stem", WindowWorkload("conv", 1, 24, 3, (224, 224), (3, 3), 2, (1, 1), relu=True)),
    PlainKernel("stage 2 GConv1", PointwiseWorkload(3, 20, 80, 784, relu=True, shortcut=False)),
    PlainKernel("stage 2 GConv2", PointwiseWorkload(3, 80, 20, 784, relu=True, shortcut=True)),
    PlainKernel("stage 2 DWConv", WindowWorkload("conv", 60, 1, 1, (28, 28), (3, 3), 1, (1, 1))),
    PlainKernel("stage 3 GConv1", PointwiseWorkload(3, 40, 160, 196, relu=True, shortcut=False)),
    PlainKernel("stage 4 GConv1", PointwiseWorkload(3, 80, 320, 49, relu=True, shortcut=False)),
)


def plain_kernel(workload: Convolution) -> tirx.PrimFunc:
    """main(X (1, IC, H, W), W (OC, IC / groups, K, K), B (OC,)[, R], Y (1, OC, OH, OW)).

    R is the shortcut. No loop is scheduled yet. Pixels of a pointwise convolution are a square.
    """
    if isinstance(workload, PointwiseWorkload):
        side = math.isqrt(workload.pixels)
        size, kernel, stride, padding, shortcut = (side, side), (1, 1), 1, 0, workload.shortcut
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
