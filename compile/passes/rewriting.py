"""What the fusing passes share: replacing matches in `main` by calls of our own kernels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tvm
from tvm import relax, tirx
from tvm.relax.dpl import DFPattern, rewrite_call

Matched = dict[DFPattern, relax.Expr]
Replace = Callable[[relax.BlockBuilder, Matched], relax.Expr | None]


def rewrite_main(module: tvm.IRModule, pattern: DFPattern, replace: Replace) -> tvm.IRModule:
    """`module` with every match of `pattern` in `main` replaced; None from `replace` keeps it."""
    builder = relax.BlockBuilder(module)

    def rewrite(original: relax.Expr, matched: Matched) -> relax.Expr:
        replaced = replace(builder, matched)
        return original if replaced is None else replaced

    main = rewrite_call(pattern, rewrite, module["main"])
    builder.update_func(module.get_global_var("main"), main)
    return builder.get()


def call_kernel(
    builder: relax.BlockBuilder,
    kernel: tirx.PrimFunc,
    name: str,
    operands: list[relax.Expr],
    output_shape: tuple[int, ...],
) -> relax.Expr:
    """A call of `kernel` whose last parameter is the output; the result has `output_shape`.

    Operands and output are reshaped to the kernel's own shapes, which costs nothing.
    """
    *given, result = (tuple(int(extent) for extent in p.shape) for p in kernel.params)
    reshaped = [
        operand if shape_of(operand) == shape else relax.op.reshape(operand, shape)
        for operand, shape in zip(operands, given, strict=True)
    ]
    function = builder.add_func(kernel, name)
    call = relax.call_tir(function, reshaped, relax.TensorType(result, "float32"))
    return relax.op.reshape(call, output_shape)


def constant(values: np.ndarray) -> relax.Constant:
    """`values` as a float32 constant."""
    return relax.const(values.astype(np.float32), "float32")


def is_per_channel(bias: relax.Constant, channels: int) -> bool:
    """Whether `bias` adds one value to each channel of an NCHW tensor."""
    shape = shape_of(bias)
    return shape[-3:] == (channels, 1, 1) and math.prod(shape) == channels


def shape_of(tensor: relax.Expr) -> tuple[int, ...]:
    """The static shape."""
    return tuple(int(extent) for extent in tensor.ty.shape)
