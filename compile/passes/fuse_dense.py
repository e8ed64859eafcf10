"""Fully connected layers become one kernel with their bias, ReLU and the global pool before them.

    relu(add(matmul(x, W), b))                         ->  call_tir(dense, x, W', b)
    add(matmul(reshape(mean(x, (H, W))), W), b)        ->  call_tir(dense, x, W', b)

The reshape is there only where the mean keeps its axes. W' is packed for the tile; x is one
picture. The pool is taken in the layout in which it finds x.
Left alone: several pictures, weights that vary, a mean over anything but rows and columns.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax
from tvm.relax.dpl import DFPattern, is_const, is_op, wildcard

from compile.passes.rewriting import (
    Choices,
    Matched,
    Replace,
    call_kernel,
    constant,
    in_layout,
    in_turn,
    shape_of,
)
from compile.schedules.dense_words import weight_bits
from compile.schedules.dense_workload import DenseWorkload


def fuse_dense(choices: Choices) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """The pass for `choices`: Relax to Relax, main only. Unfused, only the bias is taken."""
    flags = (True, False)
    kinds = [(pool, relu, bias) for bias in flags for pool in flags for relu in flags]
    unfused = [(False, False, bias) for bias in flags]
    forms = [_form(*kind) for kind in (kinds if choices.fused else unfused)]
    return in_turn([(form.pattern, _replacing(form, choices)) for form in forms])


@dataclass(frozen=True)
class _Form:
    """One pattern and the parts of it that a match hands back."""

    pattern: DFPattern
    x: DFPattern
    mean: DFPattern | None
    weights: DFPattern
    bias: DFPattern | None
    relu: bool


def _form(pool: bool, relu: bool, biased: bool) -> _Form:
    x, weights, bias = wildcard(), is_const(), is_const() if biased else None
    mean = is_op("relax.mean")(x) if pool else None
    flat = (is_op("relax.reshape")(mean, wildcard()) | mean) if pool else x
    product = is_op("relax.matmul")(flat, weights)
    if bias is not None:
        product = is_op("relax.add")(product, bias) | is_op("relax.add")(bias, product)
    pattern = is_op("relax.nn.relu")(product) if relu else product
    return _Form(pattern, x, mean, weights, bias, relu)


def _replacing(form: _Form, choices: Choices) -> Replace:
    """What puts a kernel in the place of a match of `form`."""

    def replace(builder: relax.BlockBuilder, matched: Matched) -> relax.Expr | None:
        workload = _workload(form, matched, choices)
        if workload is None:
            return None
        weights = matched[form.weights].value.numpy().T
        bits = weight_bits(weights, choices.core)
        workload = dataclasses.replace(workload, weight_bits=bits)
        made, x = choices.make(workload), matched[form.x]
        bias = matched[form.bias].value.numpy() if form.bias else np.zeros(workload.outputs)
        operands = [
            in_layout(x, workload.layout) if form.mean else x,
            constant(made.packed(weights)),
            constant(bias.reshape(-1)),
        ]
        name = "head" if form.mean else "dense"
        return call_kernel(builder, made, name, operands, (1, workload.outputs))

    return replace


def _workload(form: _Form, matched: Matched, choices: Choices) -> DenseWorkload | None:
    """What a match computes; None where it is not what its form looks like."""
    x, weights = shape_of(matched[form.x]), shape_of(matched[form.weights])
    if len(weights) != 2 or x[0] != 1:
        return None
    if form.bias and math.prod(shape_of(matched[form.bias])) != weights[1]:
        return None
    if form.mean is None:
        if x != (1, weights[0]):
            return None
        return DenseWorkload(weights[1], weights[0], form.relu)
    if len(x) != 4 or x[1] != weights[0] or not _is_over_pixels(matched[form.mean]):
        return None
    return DenseWorkload(
        outputs=weights[1],
        inputs=weights[0],
        relu=form.relu,
        pixels=x[2] * x[3],
        layout=choices.layout_of(x[2:]),
    )


def _is_over_pixels(mean: relax.Call) -> bool:
    """Whether `mean` averages rows and columns of an NCHW tensor, and nothing else."""
    return {int(axis) % 4 for axis in mean.attrs.axis or ()} == {2, 3}
