"""How int8 stands for real values, and the integers by which a kernel gets from one to the other.

    real = scale * (q - zero)                 q in -128 .. 127

Each channel has a scale and a zero. Weights are symmetric, a scale for each output;
the scales of the inputs are in them, so that a sum has the scale of its output's weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compile.schedules.int8_lanes import MULTIPLIER_BITS

LEVELS = 255
LARGEST_WEIGHT = 127
MOST_MULTIPLIER = 0.25  # what a sum may be multiplied by: see `int8_lanes`
MOST_SHIFT, SHIFT_STEP = 16, 4
MOST_NARROW_SHIFT = 4  # 1/16 of a step is as good as none
LARGEST_INT16 = 1 << 15
SHORTCUT_LEVELS = 256
BIAS_LIMIT = 2.0**28  # of a bias in units of a sum, and of an output's zero
LEAST_MULTIPLIER = 2.0**-20
TINY = 1e-12  # instead of no range at all


@dataclass(frozen=True)
class Quantisation:
    """The scale and zero of each channel of a tensor: float64 and int64, (channels,)."""

    scale: np.ndarray
    zero: np.ndarray

    @property
    def of_picture(self) -> tuple[float, int]:
        """Of the network's input, whose channels have one scale: its inverse as a kernel has it,
        float32, and the zero.
        """
        return float(np.float32(1 / self.scale.max())), int(self.zero.max())

    @property
    def rounding(self) -> tuple[np.ndarray, np.ndarray]:
        """What a kernel multiplies by and adds to make int8 of float32: float32 and int32."""
        return (1 / self.scale).astype(np.float32), self.zero.astype(np.int32)

    @property
    def restoring(self) -> tuple[np.ndarray, np.ndarray]:
        """What it multiplies by and takes away before, the other way: float32 and int32."""
        return self.scale.astype(np.float32), self.zero.astype(np.int32)

    def taken(self, channels: np.ndarray) -> Quantisation:
        """The same of some `channels`, in their order and shape."""
        return Quantisation(self.scale[channels], self.zero[channels])


@dataclass(frozen=True)
class Means:
    """Of inputs: what they should be in the mean, real, and the mean of q - zero that stands for
    it.
    """

    real: np.ndarray
    steps: np.ndarray


@dataclass(frozen=True)
class Requantisation:
    """The integers of a kernel: weights as given, bias and multipliers (outputs,), one shift.

    Where it is `narrow` no sum and shortcut, shifted, leave int16 (see `int8_lanes`).
    """

    weights: np.ndarray
    bias: np.ndarray
    multipliers: np.ndarray
    shift: int
    narrow: bool = False


def quantisation_of(
    low: np.ndarray, high: np.ndarray, symmetric: np.ndarray, least_scale: np.ndarray
) -> Quantisation:
    """For values from `low` to `high`, all of shape (channels,); 0 is one of them, and exact.

    Where it is `symmetric` the zero is 0. No scale is less than its `least_scale`.
    """
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    around_zero = np.maximum(-low / 128, high / 127)
    scale = np.where(symmetric, around_zero, (high - low) / LEVELS)
    scale = np.maximum(np.maximum(scale, least_scale), TINY)
    zero = np.where(symmetric, 0, np.clip(np.rint(-128 - low / scale), -128, 127))
    return Quantisation(scale, zero.astype(np.int64))


def weight_scales(scaled: np.ndarray, bias: np.ndarray, output_scale: np.ndarray) -> np.ndarray:
    """Of the weights of each output, (outputs, inputs), the scales of their inputs in them."""
    largest = np.abs(scaled).max(axis=1, initial=0) / LARGEST_WEIGHT
    least = np.maximum(np.abs(bias) / BIAS_LIMIT, output_scale * LEAST_MULTIPLIER)
    return np.maximum(largest, least)


def requantisation(
    weights: np.ndarray,
    bias: np.ndarray,
    inputs: Quantisation,
    output: Quantisation,
    means: Means,
    *,
    adds_zero: bool = True,
    one_weight: bool = False,
) -> Requantisation:
    """The integers of (outputs, inputs) real `weights` and (outputs,) real `bias`.

    `inputs` and their `means` are of (outputs, inputs), `output` of (outputs,), no scale of which
    may be less than four times the scale of its weights. Without `adds_zero` the zero comes with a
    shortcut. The weights of an average are `one_weight`, and so are their integers.
    """
    scaled = weights * inputs.scale
    scales = weight_scales(
        scaled, bias, np.zeros_like(output.scale) if one_weight else output.scale
    )
    rounded, total = _rounded(weights, bias, inputs, means, scales)
    factors = scales / output.scale
    if adds_zero:
        total = total + np.rint(output.zero / factors)
    largest = _largest_sums(rounded, total)
    room = (LARGEST_INT16 - 1) / ((largest * factors).max() + SHORTCUT_LEVELS)
    most = int(np.floor(np.log2(room)))
    multipliers, shift = _multipliers(factors, min(most, MOST_NARROW_SHIFT) if most > 0 else None)
    return Requantisation(
        rounded.astype(np.int8), total.astype(np.int32), multipliers, shift, narrow=most > 0
    )


def _largest_sums(weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """How far from 0 the sum of each output may be, whatever the inputs."""
    above = bias + np.maximum(weights * 127, weights * -128).sum(axis=1)
    below = bias + np.minimum(weights * 127, weights * -128).sum(axis=1)
    return np.maximum(np.abs(above), np.abs(below))


def pool_requantisation(inputs: Quantisation, means: Quantisation, pixels: int) -> Requantisation:
    """The integers that make the mean of a channel of its sum over `pixels`; weights are 1.

    All are of (channels,); no scale of `means` may be less than `least_scale_of_means`.
    """
    factors = inputs.scale / (pixels * means.scale)
    total = np.rint(means.zero / factors) - pixels * inputs.zero
    ones = np.ones(len(factors), np.int8)
    return Requantisation(ones, total.astype(np.int32), *_multipliers(factors))


def least_scale_of_means(inputs: Quantisation, pixels: int) -> np.ndarray:
    """The finest scale that a sum over `pixels` can be brought to."""
    return inputs.scale / (pixels * MOST_MULTIPLIER)


def dense_integers(
    weights: np.ndarray, bias: np.ndarray, inputs: Quantisation, means: Means
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """int8 weights (M, K), int32 biases and the float32 scales of the sums, of real ones.

    `inputs` and their `means` are of (K,); the results stay real.
    """
    scales = weight_scales(weights * inputs.scale, bias, np.full(len(bias), TINY))
    rounded, total = _rounded(weights, bias, inputs, means, scales)
    return rounded.astype(np.int8), total.astype(np.int32), scales.astype(np.float32)


def _rounded(
    weights: np.ndarray,
    bias: np.ndarray,
    inputs: Quantisation,
    means: Means,
    scales: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Integer weights and biases in units of `scales`, (outputs,).

    What the rounding of weights, and of all that came before, takes from an output in the mean is
    given back by its bias: of the official 0.5x g3, whose picture is 0 to 255, it was most of the
    error.
    """
    rounded = np.rint(weights * inputs.scale / scales[:, None]).astype(np.int64)
    lost = (weights * means.real).sum(axis=1) / scales - (rounded * means.steps).sum(axis=1)
    total = np.rint(bias / scales + lost) - (rounded * inputs.zero).sum(axis=1)
    return rounded, total


def _multipliers(factors: np.ndarray, most_shift: int | None = None) -> tuple[np.ndarray, int]:
    """The int32 multipliers and the shift that come nearest to `factors`: see `int8_lanes`.

    Few shifts, as each is code of its own; multipliers have 26 bits all the same.
    """
    shift = int(np.clip(np.floor(-1 - np.log2(factors.max())), 1, most_shift or MOST_SHIFT))
    if most_shift is None:
        shift = shift // SHIFT_STEP * SHIFT_STEP or shift
    exact = np.rint(factors * 2.0 ** (MULTIPLIER_BITS + shift))
    return np.clip(exact, 1, 2**30).astype(np.int32), shift
