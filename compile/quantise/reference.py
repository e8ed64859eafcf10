"""What a network of int8 kernels must give, value for value, computed in another way.

Each kernel's sums come of PyTorch's convolutions of floats that hold them exactly, whole numbers of
up to 24 or 53 bits, and become int8 by the definition in `compile/schedules/int8_lanes.py`, in
int64. So a build is checked bit by bit, on any core.

Where kernels of float32 stand in between, these run as this machine computes them, and mostly to
the bit as the board does (`float_steps`). One bit of a float32 may make a value of int8 the next
one, and this others behind it, which is what `NEARLY_EXACT` allows for. The whole is held against
the network's own reference, too, by the tolerance of int8.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import tvm
from torch.nn import functional
from tvm import relax

from compile.network import Network
from compile.quantise.expressions import KERNEL_CALLS, RESHAPE, extents_of, operator_of
from compile.quantise.float_steps import FloatSteps
from compile.schedules.int8_conversion import ConversionWorkload
from compile.schedules.int8_lanes import HIGHEST, LOWEST, MULTIPLIER_BITS
from compile.schedules.int8_workloads import (
    Int8DenseWorkload,
    Int8PointwiseWorkload,
    Int8WindowWorkload,
)
from compile.schedules.packing import unpacked
from compile.schedules.templates import Made, made_from
from compile.schedules.window_workload import WindowWorkload
from compile.verify import verify_outputs

Values = np.ndarray
LARGEST_PRODUCT = 127 * 255
INTEGERS, MIXED = "exact integers", "exact integers and float32 on this machine"
KEPT = "kept_float32"  # what a report calls layers that are not of int8
NEARLY_EXACT = 0.05  # of the output's range


def checked_by_integers(
    network: Network, module: tvm.IRModule, stated: Mapping[str, Any]
) -> Network:
    """`network` with the outputs that `module`, of int8 kernels, must have as its references.

    Where a kernel gives several tensors at once it keeps the references it has; what is `stated` of
    its calibration, and of layers kept in float32, becomes part of its provenance in any case.
    """
    network = dataclasses.replace(network, provenance=network.provenance | stated)
    others = _of_floats(module)
    if not all(isinstance(var.ty, relax.TensorType) for var in others):
        return network
    run = _Reference(module, others)

    def references(x: Values) -> list[Values]:
        outputs = zip(run(x), network.output_shapes, strict=True)
        results = [y.reshape(shape) for y, shape in outputs]
        if others:
            verify_outputs(
                results,
                network,
                network.references(x),
                level="the reference in int8",
                where="this machine",
                dtype="int8",
            )
        return results

    return dataclasses.replace(
        network,
        references=references,
        reference_name=MIXED if others else INTEGERS,
        tolerance=NEARLY_EXACT if others else 0.0,
    )


def requantised(
    sums: Values, multipliers: Values, shift: int, added: Values | int, lowest: int
) -> Values:
    """int8 of int64 `sums`, with `multipliers` that broadcast to them."""
    high = (sums * multipliers.astype(np.int64) + (1 << (MULTIPLIER_BITS - 1))) >> MULTIPLIER_BITS
    scaled = (high + (1 << (shift - 1))) >> shift
    return np.clip(scaled + added, lowest, HIGHEST).astype(np.int8)


def quantised(x: Values, scales: Values | float, zeros: Values | int) -> Values:
    """int8 of float32 values, with constants that broadcast to them; NaN is the lowest."""
    centres = np.int64(zeros)
    low, high = (np.float32(bound - centres) for bound in (LOWEST, HIGHEST))
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.float32(scales) * x.astype(np.float32)
    above = np.where(scaled > low, scaled, low)
    within = np.where(above < high, above, high)
    return (np.rint(within).astype(np.int64) + centres).astype(np.int8)


def dequantised(q: Values, scales: Values, zeros: Values) -> Values:
    """float32 of int8 values, with constants that broadcast to them."""
    return (q.astype(np.int32) - zeros).astype(np.float32) * scales


def _bindings(module: tvm.IRModule) -> list[tuple[relax.Var, relax.Expr]]:
    return [(b.var, b.value) for block in module["main"].body.blocks for b in block.bindings]


def _of_floats(module: tvm.IRModule) -> list[relax.Var]:
    """What kernels without a definition in integers make."""
    return [var for var, value in _bindings(module) if not _is_of_integers(value, module)]


def _is_of_integers(value: relax.Expr, module: tvm.IRModule) -> bool:
    if operator_of(value) in KERNEL_CALLS:
        made = made_from(module[value.args[0]])
        return made is not None and kernel_reference(made) is not None
    return operator_of(value) == RESHAPE or isinstance(value, relax.Var | relax.Tuple)


class _Reference:
    """From an input, float32, to the outputs of `main`."""

    def __init__(self, module: tvm.IRModule, of_floats: Sequence[relax.Var]) -> None:
        self._module, self._of_floats = module, of_floats

    def __call__(self, x: Values) -> list[Values]:
        main = self._module["main"]
        known: dict[relax.Var, Values] = {main.params[0]: x}

        def value_of(expression: relax.Expr) -> Values:
            if isinstance(expression, tvm.ir.Constant):
                return expression.value.numpy()
            return known[expression].reshape(extents_of(expression))

        for var, value in _bindings(self._module):
            if isinstance(value, relax.Tuple):
                known[var] = [value_of(each) for each in value.fields]
            elif isinstance(value, relax.Var):
                known[var] = known[value]
            elif operator_of(value) == RESHAPE:
                known[var] = value_of(value.args[0])
            elif var in self._of_floats:
                operands = [value_of(each) for each in self._steps.operands(var)]
                known[var] = self._steps.run(var, operands)
            else:
                made = made_from(self._module[value.args[0]])
                operands = [value_of(each) for each in value.args[1].fields]
                known[var] = _into_place(made, operands, extents_of(var))
        result = main.body.body
        values = (
            known[result] if isinstance(result, relax.Var) else [value_of(r) for r in result.fields]
        )
        return values if isinstance(values, list) else [values]

    @functools.cached_property
    def _steps(self) -> FloatSteps:
        return FloatSteps(self._module, self._of_floats)


def _into_place(made: Made, operands: list[Values], shape: tuple[int, ...]) -> Values:
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
    if isinstance(workload, ConversionWorkload):
        return _conversion
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
    with _one_thread():
        sums = functional.conv2d(
            torch.from_numpy(_bordered(x, workload, workload.zero).astype(exact)),
            torch.from_numpy(weights.astype(exact)),
            stride=workload.stride,
            groups=workload.groups,
        )
    sums = sums.numpy().astype(np.int64) + bias.astype(np.int64)[:, None, None]
    return requantised(sums, multipliers[:, None, None], workload.shift, 0, workload.lowest)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Of PyTorch's: for one picture several wait for each other, on a busy machine 20 times as long
    as one computes.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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


def _conversion(made: Made, operands: list[Values]) -> Values:
    x, scales, zeros = operands
    convert = quantised if made.workload.into == "int8" else dequantised
    planes = x.reshape(-1, made.workload.channels, made.workload.pixels)
    return convert(planes, scales[:, None], zeros[:, None])


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
