"""What an int8 kernel must give, value for value, computed in another way.

Sums come of PyTorch's convolutions of floats that hold them exactly, whole numbers of up to 24 or
53 bits, and become int8 by definition (`int8_values`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.nn import functional

from compile.quantise.int8_values import Values, dequantised, quantised, requantised
from compile.schedules.int8_conversion import ConversionWorkload
from compile.schedules.int8_lanes import LOWEST
from compile.schedules.int8_workloads import (
    Int8DenseWorkload,
    Int8PointwiseWorkload,
    Int8WindowWorkload,
)
from compile.schedules.packing import unpacked
from compile.schedules.templates import Made
from compile.schedules.window_workload import WindowWorkload

LARGEST_PRODUCT = 127 * 255


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
