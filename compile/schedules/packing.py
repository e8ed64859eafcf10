"""Weights out of the order in which a kernel uses them, and into that of another.

Whatever a template does with weights it does with their indices, too: these say where each weight
has gone. Templates that store more than the weights take them out by themselves.
"""

from __future__ import annotations

import numpy as np

from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.int8_workloads import Int8WindowWorkload
from compile.schedules.stem_pool_workload import KERNEL, StemPoolWorkload
from compile.schedules.templates import TEMPLATES, Made, Workload
from compile.schedules.window_workload import WindowWorkload

WEIGHTS = 1  # which operand of a kernel they are


def repacked(packed: np.ndarray, old: Made, new: Made) -> np.ndarray:
    """Weights packed for `old` in the order of `new`, which differ in their tiles alone."""
    return new.packed(unpacked(packed, old))


def unpacked(packed: np.ndarray, made: Made) -> np.ndarray:
    """OIHW, or (M, K), of the weights that were packed for `made`."""
    unpack = TEMPLATES[made.template].unpack_weights
    weights = unpack(packed, made.workload, made.tile) if unpack else None
    if weights is not None:
        return weights
    places = made.packed(indices_of(made.workload))
    weights = np.empty(_weights_shape(made.workload), packed.dtype)
    there = places > 0  # where there is no padding
    weights.reshape(-1)[places[there] - 1] = packed[there]
    return weights


def _weights_shape(workload: Workload) -> tuple[int, ...]:
    """Of the weights before they are packed: OIHW, or (M, K)."""
    if isinstance(workload, DenseWorkload):
        return workload.outputs, workload.inputs
    if isinstance(workload, StemPoolWorkload):
        return workload.outputs, workload.inputs, KERNEL, KERNEL
    if isinstance(workload, Int8WindowWorkload):
        return workload.weights_shape
    kernel = workload.kernel if isinstance(workload, WindowWorkload) else (1, 1)
    return workload.groups * workload.outputs, workload.inputs, *kernel


def indices_of(workload: Workload) -> np.ndarray:
    """The place of each weight before it is packed, from 1 on, as 0 is padding."""
    shape = _weights_shape(workload)
    return np.arange(1, np.prod(shape) + 1).reshape(shape)
