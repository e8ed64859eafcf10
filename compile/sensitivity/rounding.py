"""Weights and values as int8 has them, in float32: what kernels of float32 can be run on."""

from __future__ import annotations

import numpy as np

from compile.passes.int8_plan import Plan, Step
from compile.passes.int8_sums import Sums, pooled, real_sums
from compile.quantise.int8_values import dequantised, quantised
from compile.quantise.scale import TINY, Quantisation, weight_scales
from compile.schedules.packing import WEIGHTS, unpacked


def rounded_values(values: np.ndarray, of: Quantisation) -> np.ndarray:
    """`values` as int8 has them, in their shape."""
    planes = values.reshape(len(of.scale), -1)
    rounding, restoring = ([c[:, None] for c in each] for each in (of.rounding, of.restoring))
    return dequantised(quantised(planes, *rounding), *restoring).reshape(values.shape)


def rounded_operands(step: Step, plan: Plan, operands: list[np.ndarray]) -> list[np.ndarray]:
    """Those of the kernel of float32 of `step` with its weights as int8 has them, packed, its bias
    correcting them in the mean; a picture rounded, too, and the means of a pool. Others as given.
    """
    x = plan.root(step.inputs[0])
    if step.kind == "dense":
        return _of_dense(step, plan, operands)
    sums = real_sums(step, plan)
    if sums is None or step.kind == "mean":
        return operands
    shape = unpacked(operands[WEIGHTS], step.made).shape
    weights, lost = _rounded_weights(sums, plan.seen[x].mean[sums.sources])
    changed = list(operands)
    changed[WEIGHTS] = step.made.packed(weights.reshape(shape).astype(np.float32))
    if step.made.workload.bias:
        changed[WEIGHTS + 1] = (operands[WEIGHTS + 1] + lost).astype(np.float32)
    if step.kind == "stem":
        changed[0] = rounded_values(operands[0], plan.of(x))
    return changed


def _rounded_weights(sums: Sums, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scales = weight_scales(sums.weights * sums.inputs.scale, sums.bias, sums.output.scale)
    return _as_int8(sums.weights, sums.inputs.scale, scales, means)


def _as_int8(
    weights: np.ndarray, input_scales: np.ndarray, scales: np.ndarray, means: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(outputs, inputs) as multiples of the `scales` of outputs, and what that takes from each
    output in the mean.
    """
    whole = np.rint(weights * input_scales / scales[:, None])
    rounded = whole * scales[:, None] / input_scales
    return rounded, ((weights - rounded) * means).sum(axis=1)


def _of_dense(step: Step, plan: Plan, operands: list[np.ndarray]) -> list[np.ndarray]:
    workload, root = step.made.workload, plan.root(step.inputs[0])
    seen = plan.seen[root]
    inputs, _ = pooled(plan.of(root).taken(np.arange(workload.inputs)), seen, workload.pixels)
    real = unpacked(operands[WEIGHTS], step.made).astype(np.float64)
    bias = operands[WEIGHTS + 1].astype(np.float64)
    scales = weight_scales(real * inputs.scale, bias, np.full(len(bias), TINY))
    weights, lost = _as_int8(real, inputs.scale, scales, seen.mean[: workload.inputs])
    x = operands[0]
    means = x.reshape(workload.inputs, -1).mean(axis=1)
    spread = np.broadcast_to(
        rounded_values(means, inputs)[:, None], (workload.inputs, workload.pixels)
    )
    changed = [np.ascontiguousarray(spread.reshape(x.shape)), *operands[1:]]
    changed[WEIGHTS] = step.made.packed(weights.astype(np.float32))
    changed[WEIGHTS + 1] = (operands[WEIGHTS + 1] + lost).astype(np.float32)
    return changed
