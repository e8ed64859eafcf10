"""What a chain of reshapes, transposes, slices and concats does, asked of the chain itself.

The chain is run on the numbers of places instead of values: where each value of the result comes
from says what the chain is, however it was spelled. A channel shuffle of three groups, for one,
may be a transpose of (N, 3, n, H, W), of (N, 3, n, H * W), of (N, H, W, 3, n), a take of every nth
channel, or n slices and a concat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax

from compile.passes.rewriting import TO_CHANNELS, shape_of
from compile.passes.shuffle import shuffled_from

RESHAPES = ("relax.reshape", "relax.expand_dims", "relax.squeeze", "relax.flatten")


@dataclass(frozen=True)
class Places:
    """Where the values of a tensor come from: flat indices into `root`, in the tensor's shape."""

    root: relax.Var
    index: np.ndarray


@dataclass(frozen=True)
class Move:
    """What a chain makes of an NCHW tensor: `rows` groups shuffled, then perhaps channels last."""

    rows: int
    channels_last: bool


def recognised(places: Places) -> Move | None:
    """The shuffle or layout change that `places` are; None for anything else."""
    shape = shape_of(places.root)
    if len(shape) != 4 or places.index.ndim != 4 or places.index.size != np.prod(shape):
        return None
    index, channels = places.index, shape[1]
    ordered = np.arange(index.size).reshape(shape)
    channels_last = index.shape != shape
    if channels_last:
        if index.shape != tuple(shape[axis] for axis in TO_CHANNELS):
            return None
        index = index.transpose(0, 3, 1, 2)
    order = index[0, :, 0, 0] // (shape[2] * shape[3])
    if not np.array_equal(index, ordered[:, order % channels]):
        return None
    rows = _shuffle_rows(order)
    return None if rows is None else Move(rows, channels_last)


def _shuffle_rows(order: np.ndarray) -> int | None:
    """The r of a shuffle that puts channel `order[i]` into place i; 1 where none moves."""
    channels = len(order)
    if channels == 1:
        return 1
    rows = channels // int(order[1]) if order[0] == 0 and order[1] > 0 else 0
    is_shuffle = rows > 0 and channels % rows == 0
    return rows % channels or 1 if is_shuffle and _is_shuffle(order, rows) else None


def _is_shuffle(order: np.ndarray, rows: int) -> bool:
    return np.array_equal(order, shuffled_from(len(order), rows))


def moved(call: relax.Call, shape: tuple[int, ...], given: list[Places]) -> Places | None:
    """Where the values of `call`, of `shape`, come from; None where it computes something.

    `given` are the places of its operand, or of all operands of a concat.
    """
    if len({places.root for places in given}) != 1:
        return None
    indices = [places.index for places in given]
    index = _moved(call, shape, indices)
    return None if index is None else Places(given[0].root, index)


def _moved(
    call: relax.Call, shape: tuple[int, ...], indices: list[np.ndarray]
) -> np.ndarray | None:
    name, index = call.op.name, indices[0]
    if name in RESHAPES:
        return index.reshape(shape)
    if name == "relax.permute_dims":
        axes = call.attrs.axes
        return index.transpose(None if axes is None else [int(axis) for axis in axes])
    if name == "relax.concat":
        return np.concatenate(indices, axis=int(call.attrs.axis or 0))
    if name == "relax.take" and isinstance(call.args[1], tvm.ir.Constant):
        axis = call.attrs.axis
        taken = call.args[1].value.numpy()
        return np.take(index, taken, axis=None if axis is None else int(axis))
    if name == "relax.strided_slice":
        return index[_slices(call, index.ndim)]
    return None


def _slices(call: relax.Call, rank: int) -> tuple[slice, ...]:
    _, *bounds = call.args
    axes, begin, end, *strides = ([int(field.value) for field in part.fields] for part in bounds)
    steps = strides[0] if strides else [1] * len(axes)
    slices = [slice(None)] * rank
    for axis, first, last, step in zip(axes, begin, end, steps, strict=True):
        slices[axis] = slice(first, last, step)
    return tuple(slices)
