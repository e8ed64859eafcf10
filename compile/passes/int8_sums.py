"""The sums that a convolution of int8 makes, one for each of its outputs, as real numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from compile.quantise.observe import Range
from compile.quantise.scale import (
    Quantisation,
    Requantisation,
    least_scale_of_means,
    pool_requantisation,
    quantisation_of,
)
from compile.schedules.packing import WEIGHTS, unpacked

if TYPE_CHECKING:
    from compile.passes.int8_plan import Plan, Step


@dataclass(frozen=True)
class Sums:
    """Real `weights` (outputs, inputs of one) and `bias` (outputs,), with how int8 stands for the
    `inputs` of each, (outputs, inputs of one), and for the `output`, (outputs,).

    `channels` says which channel of its tensor each output is; `sources` of which
    channel each input is, (outputs, inputs of one).
    """

    weights: np.ndarray
    bias: np.ndarray
    inputs: Quantisation
    output: Quantisation
    channels: np.ndarray
    sources: np.ndarray


def real_sums(step: Step, plan: Plan) -> Sums | None:
    """What the convolution or average of `step` sums; None where it sums nothing of its own."""
    makers = {"pointwise": _pointwise, "channelwise": _channelwise, "mean": _mean, "stem": _stem}
    if step.kind not in makers:
        return None
    weights, sources, channels = makers[step.kind](step)
    inputs = plan.of(step.inputs[0]).taken(sources)
    output = plan.of(step.var).taken(channels)
    bias = _bias(step) if step.kind != "mean" else np.zeros(len(channels))
    return Sums(weights, bias, inputs, output, channels, sources)


def pooled(
    read: Quantisation, seen: Range, pixels: int
) -> tuple[Quantisation, Requantisation | None]:
    """How int8 stands for the inputs of a dense layer, and how its pool makes them where it has."""
    if pixels == 1:
        return read, None
    symmetric = np.zeros(read.scale.shape, bool)
    least = least_scale_of_means(read, pixels)
    means = quantisation_of(seen.mean_low, seen.mean_high, symmetric, least)
    return means, pool_requantisation(read, means, pixels)


def _bias(step: Step) -> np.ndarray:
    workload = step.made.workload
    if not workload.bias:
        return np.zeros(workload.channels)
    return step.call.args[1].fields[WEIGHTS + 1].value.numpy().astype(np.float64)


def _weights(step: Step) -> np.ndarray:
    """OIHW, or (M, K), float64."""
    packed = step.call.args[1].fields[WEIGHTS].value.numpy()
    return unpacked(packed, step.made).astype(np.float64)


Parts = tuple[np.ndarray, np.ndarray, np.ndarray]  # weights, source channels, output channels


def _pointwise(step: Step) -> Parts:
    workload = step.made.workload
    every = range(workload.groups * workload.inputs)
    loaded = np.array([workload.loaded_channel(k) for k in every], np.int64)
    of_group = loaded.reshape(workload.groups, workload.inputs)
    stored = np.array([workload.stored_channel(c) for c in range(workload.channels)], np.int64)
    weights = _weights(step).reshape(workload.channels, workload.inputs)
    return weights, np.repeat(of_group, workload.outputs, axis=0), stored


def _channelwise(step: Step) -> Parts:
    channels = step.made.workload.channels
    weights = _weights(step).reshape(channels, -1)
    return weights, _own_channel(weights), np.arange(channels)


def _mean(step: Step) -> Parts:
    rows, columns = step.made.workload.kernel
    channels = step.made.workload.channels
    weights = np.full((channels, rows * columns), 1 / (rows * columns))
    return weights, _own_channel(weights), np.arange(channels)


def _stem(step: Step) -> Parts:
    weights = _weights(step)
    outputs, inputs, rows, columns = weights.shape
    sources = np.repeat(np.arange(inputs), rows * columns)
    flat = weights.reshape(outputs, -1)
    return flat, np.broadcast_to(sources, flat.shape), np.arange(outputs)


def _own_channel(weights: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.arange(len(weights))[:, None], weights.shape)
