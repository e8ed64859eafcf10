"""What a network of int8 kernels must give, value for value, computed in another way.

Each kernel's sums come of PyTorch's convolutions of floats that hold them exactly, whole numbers of
up to 24 or 53 bits, and become int8 by the definition in `compile/schedules/int8_lanes.py`, in
int64. So a build is checked bit by bit, on any core.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import torch
import tvm
from torch.nn import functional
from tvm import relax

from compile.network import Network
from compile.schedules.int8_lanes import HIGHEST, LOWEST, MULTIPLIER_BITS
from compile.schedules.int8_workloads import (
    Int8DenseWorkload,
    Int8PointwiseWorkload,
    Int8WindowWorkload,
)
from compile.schedules.packing import unpacked
from compile.schedules.templates import Made, made_from
from compile.schedules.window_workload import WindowWorkload

Values = np.ndarray
LARGEST_PRODUCT = 127 * 255


def checked_by_integers(
    network: Network, module: tvm.IRModule, calibration: Mapping[str, str]
) -> Network:
    """`network` with the outputs that `module`, of int8 kernels, must have as its references.

    Where other kernels take part it keeps the references it has; `calibration`, what it was
    calibrated on, becomes part of its provenance in any case.
    """
    provenance = network.provenance | calibration
    integers = integer_reference(module)
    if integers is None:
        return dataclasses.replace(network, provenance=provenance)

    def references(x: Values) -> list[Values]:
        shapes = network.output_shapes
        return [y.reshape(shape) for y, shape in zip(integers(x), shapes, strict=True)]

    return dataclasses.replace(
        network,
        references=references,
        reference_name="exact integers",
        tolerance=0.0,
        provenance=provenance,
    )


def integer_reference(module: tvm.IRModule) -> Callable[[Values], list[Values]] | None:
    """From an input, float32, to the outputs of `main`; None where a kernel is not of int8."""
    if not all(_is_known(value, module) for _, value in _bindings(module)):
        return None
    return lambda x: _run(module, x)


def requantised(
    sums: Values, multipliers: Values, shift: int, added: Values | int, lowest: int
) -> Values:
    """int8 of int64 `sums`, with `multipliers` that broadcast to them."""
    high = (sums * multipliers.astype(np.int64) + (1 << (MULTIPLIER_BITS - 1))) >> MULTIPLIER_BITS
    scaled = (high + (1 << (shift - 1))) >> shift
    return np.clip(scaled + added, lowest, HIGHEST).astype(np.int8)


def quantised(x: Values, scale: float, zero: int) -> Values:
    """int8 of float32 values; NaN is the lowest."""
    with np.errstate(over="ignore"):
        scaled = np.float32(scale) * x.astype(np.float32)
    above = np.where(scaled > LOWEST - zero, scaled, np.float32(LOWEST - zero))
    within = np.where(above < HIGHEST - zero, above, np.float32(HIGHEST - zero))
    return (np.rint(within).astype(np.int64) + zero).astype(np.int8)


def _bindings(module: tvm.IRModule) -> list[tuple[relax.Var, relax.Expr]]:
    return [(b.var, b.value) for block in module["main"].body.blocks for b in block.bindings]


def _name(value: relax.Expr) -> str:
    return value.op.name if isinstance(value, tvm.ir.Call) else ""


def _is_known(value: relax.Expr, module: tvm.IRModule) -> bool:
    if _name(value) in ("relax.call_tir", "relax.call_tir_inplace"):
        made = made_from(module[value.args[0]])
        return made is not None and kernel_reference(made) is not None
    return _name(value) == "relax.reshape" or isinstance(value, relax.Var | relax.Tuple)


def _run(module: tvm.IRModule, x: Values) -> list[Values]:
    main = module["main"]
    known: dict[relax.Var, Values] = {main.params[0]: x}

    def value_of(expression: relax.Expr) -> Values:
        if isinstance(expression, tvm.ir.Constant):
            return expression.value.numpy()
        return known[expression]

    for var, value in _bindings(module):
        if isinstance(value, relax.Tuple):
            known[var] = [value_of(each) for each in value.fields]
        elif isinstance(value, relax.Var):
            known[var] = known[value]
        elif _name(value) == "relax.reshape":
            known[var] = value_of(value.args[0]).reshape([int(n) for n in var.ty.shape])
        else:
            made = made_from(module[value.args[0]])
            operands = [value_of(each) for each in value.args[1].fields]
            shape = [int(extent) for extent in value.ty_args[0].shape] if value.ty_args else None
            known[var] = _into_place(made, operands, shape or [int(n) for n in var.ty.shape])
    result = main.body.body
    values = (
        known[result] if isinstance(result, relax.Var) else [value_of(r) for r in result.fields]
    )
    return values if isinstance(values, list) else [values]


def _into_place(made: Made, operands: list[Values], shape: list[int]) -> Values:
    """The output of a kernel, of `shape`; of a half of a concat the other half as it was."""
    result = kernel_reference(made)(made, operands)
    total = getattr(made.workload, "stored_channels", 0)
    if not total:
        return result.reshape(shape)
    first = made.workload.first_channel
    result = result.reshape(made.workload.channels, -1)
    whole = np.zeros((total, result.shape[1]), np.int8)
    if first:  # the second half is written in place, over the last operand
        whole[:] = operands[-1].reshape(total, -1)
    whole[first : first + len(result)] = result
    return whole.reshape(shape)


def kernel_reference(made: Made) -> Callable[[Made, list[Values]], Values] | None:
    """From the operands of the kernel of `made`, its output left out, to its output, (N, channels,
    ...); None where it is not of int8.

    Operands are those of one input or of N, one behind the other. Channels are in the order in
    which a shuffle stores them.
    """
    workload = made.workload
    if isinstance(workload, Int8PointwiseWorkload):
        return _pointwise
    if isinstance(workload, Int8WindowWorkload):
        return _window
    if isinstance(workload, Int8DenseWorkload):
        return _dense
    is_max = isinstance(workload, WindowWorkload) and workload.kind == "max"
    return _max if is_max and workload.dtype == "int8" else None


def _pointwise(made: Made, operands: list[Values]) -> Values:
    workload = made.workload
    x, packed, bias, multipliers, *shortcut = operands
    weights = unpacked(packed, made).reshape(workload.groups, workload.outputs, workload.inputs)
    loaded = [workload.loaded_channel(k) for k in range(workload.groups * workload.inputs)]
    exact = _holding(workload.inputs)
    matrix = x.reshape(-1, len(loaded), workload.pixels)[:, loaded].astype(exact)
    columns = matrix.reshape(-1, workload.groups, workload.inputs, workload.pixels)
    sums = (weights.astype(exact) @ columns).reshape(-1, workload.channels, workload.pixels)
    sums = sums.astype(np.int64) + bias.astype(np.int64)[:, None]
    added = shortcut[0].astype(np.int64).reshape(sums.shape) if workload.shortcut else 0
    values = requantised(sums, multipliers[:, None], workload.shift, added, workload.lowest)
    stored = [workload.stored_channel(c) for c in range(workload.channels)]
    shuffled = np.empty_like(values)
    shuffled[:, np.array(stored) - workload.first_channel] = values
    return shuffled


def _window(made: Made, operands: list[Values]) -> Values:
    workload = made.workload
    x, packed, bias, multipliers = operands[:4]
    if workload.picture_scale:
        x = quantised(x, workload.picture_scale, workload.zero)
    weights = unpacked(packed, made)
    weights = np.broadcast_to(weights, (workload.channels, *weights.shape[1:]))
    exact = _holding(weights[0].size)
    sums = functional.conv2d(
        torch.from_numpy(_bordered(x, workload, workload.zero).astype(exact)),
        torch.from_numpy(weights.astype(exact)),
        stride=workload.stride,
        groups=workload.groups,
    )
    sums = sums.numpy().astype(np.int64) + bias.astype(np.int64)[:, None, None]
    return requantised(sums, multipliers[:, None, None], workload.shift, 0, workload.lowest)


def _holding(products: int) -> type:
    """A float that holds the sum of so many products."""
    return np.float32 if products * LARGEST_PRODUCT < 1 << 24 else np.float64


def _bordered(x: Values, workload: WindowWorkload, value: int) -> Values:
    """(N, channels, rows, columns), the border included."""
    top, left, bottom, right = workload.border
    planes = x.reshape(-1, workload.groups * workload.inputs, *workload.size)
    border = ((0, 0), (0, 0), (top, bottom), (left, right))
    return np.pad(planes, border, constant_values=value)


def _max(made: Made, operands: list[Values]) -> Values:
    workload = made.workload
    bordered = torch.from_numpy(_bordered(operands[0], workload, LOWEST).astype(np.float32))
    return functional.max_pool2d(bordered, workload.kernel, workload.stride).numpy().astype(np.int8)


def _dense(made: Made, operands: list[Values]) -> Values:
    workload = made.workload
    x, packed, bias, scales, *pool = operands
    inputs = x.reshape(-1, workload.inputs, workload.pixels).astype(np.int64)
    if pool:
        offsets, multipliers = (each[: workload.inputs].astype(np.int64) for each in pool)
        sums = inputs.sum(axis=2) + offsets
        inputs = requantised(sums, multipliers, workload.shift, 0, LOWEST).astype(np.int64)
    weights = unpacked(packed, made).astype(np.int64)
    sums = inputs.reshape(-1, workload.inputs) @ weights.T + bias[: workload.outputs]
    result = sums.astype(np.float32) * scales[: workload.outputs]
    return np.maximum(result, np.float32(0)) if workload.relu else result
