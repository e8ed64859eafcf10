"""Pointwise workloads of every kind, and how far a kernel is from its definition."""

from __future__ import annotations

import numpy as np
import tvm

from compile.schedules.pointwise import pack_weights, pointwise
from compile.schedules.pointwise_tiles import PointwiseTile
from compile.schedules.pointwise_workload import PointwiseWorkload

# fmt: off
WORKLOADS = {
    #                          groups  M   K    N    relu   shortcut  store load
    "stage 2 with shuffle":      (3,  20, 80, 784, True,  False,    3,    1),
    "stage 3 with shortcut":     (3, 160, 40, 196, True,  True,     1,    1),
    "stage 4 of 7x7":            (3,  80, 32,  49, True,  False,    3,    1),
    "official, shuffled before": (3,  24, 20,  49, True,  True,     1,   20),
    "official, shuffled behind": (3,  20,  8,  49, False, False,   20,    1),
    "eight groups":              (8,  12,  6, 196, True,  False,    8,    1),
    "two groups, odd rows":      (2,  25, 10,  49, True,  False,    2,    1),
    "a prime of everything":     (1,  13,  7,  53, False, False,    1,    1),
    "one pixel":                 (1,  10, 24,   1, False, False,    1,    1),
    "three pixels":              (4,   5,  3,   3, True,  True,     4,    1),
}
# fmt: on
ON_7X7 = PointwiseWorkload(3, 320, 80, 49, True, True)


def workload_of(name: str) -> PointwiseWorkload:
    return PointwiseWorkload(*WORKLOADS[name])


def definition(
    w: PointwiseWorkload,
    x: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray,
    shortcut: np.ndarray,
    floor: np.ndarray,
) -> np.ndarray:
    """In float64, the shuffles by NumPy's reshape and transpose."""
    x = x.astype(np.float64)
    if w.load_rows > 1:
        x = x.reshape(w.load_rows, -1, w.pixels).swapaxes(0, 1).reshape(x.shape)
    grouped = weights.reshape(w.groups, w.outputs, w.inputs).astype(np.float64)
    y = np.einsum("gmk,gkn->gmn", grouped, x.reshape(w.groups, w.inputs, w.pixels))
    y = y.reshape(w.channels, w.pixels) + bias[:, None] + (shortcut if w.shortcut else 0)
    y = np.maximum(y, 0) if w.relu else y
    y = np.maximum(y, floor[:, None]) if w.floor else y
    if w.shuffle_rows > 1:
        y = y.reshape(w.shuffle_rows, -1, w.pixels).swapaxes(0, 1).reshape(y.shape)
    return y


def in_layout(w: PointwiseWorkload, planes: np.ndarray) -> np.ndarray:
    """(channels, pixels) as the kernel takes it; and back."""
    return planes if w.layout == "planes" else np.ascontiguousarray(planes.T)


def operands_of(w: PointwiseWorkload) -> tuple[np.ndarray, ...]:
    """X, W, B, R and F, of planes; B is 0 where there is none."""
    random = np.random.default_rng(0)
    x = random.standard_normal((w.groups * w.inputs, w.pixels)).astype(np.float32)
    weights = random.standard_normal((w.channels, w.inputs, 1, 1)).astype(np.float32)
    bias = random.standard_normal(w.channels).astype(np.float32)
    shortcut = random.standard_normal((w.channels, w.pixels)).astype(np.float32)
    floor = random.standard_normal(w.channels).astype(np.float32)
    return x, weights, bias if w.bias else np.zeros_like(bias), shortcut, floor


def output_of(w: PointwiseWorkload, tile: PointwiseTile, threads: int = 1) -> np.ndarray:
    """(channels, pixels) that the kernel makes of `operands_of`; those of others are left alone."""
    x, weights, bias, shortcut, floor = operands_of(w)
    operands = [in_layout(w, x), pack_weights(weights, w, tile), *([bias] if w.bias else [])]
    y = np.full(w.output_shape, np.nan, np.float32)
    if w.in_place:
        y = in_layout(w, shortcut).copy()
    elif w.shortcut:
        operands.append(in_layout(w, shortcut))
    operands += [floor] if w.floor else []
    tensors = [tvm.runtime.tensor(value) for value in (*operands, y)]
    kernel = pointwise(w, tile, threads).with_attr("global_symbol", "main")
    tvm.compile(kernel, target="llvm")["main"](*tensors)
    written = in_layout(w, tensors[-1].numpy())
    others = np.delete(written, np.s_[w.first_channel : w.first_channel + w.channels], axis=0)
    assert np.isnan(others).all()
    return written[w.first_channel : w.first_channel + w.channels]


def error_of(w: PointwiseWorkload, tile: PointwiseTile, threads: int = 1) -> float:
    """Largest difference between kernel and definition."""
    return np.abs(output_of(w, tile, threads) - definition(w, *operands_of(w))).max()
