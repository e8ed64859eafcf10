"""Scales, zeros and integers by which int8 stands for real values."""

from __future__ import annotations

import numpy as np
import pytest

from compile.quantise.int8_values import requantised
from compile.quantise.scale import (
    MOST_MULTIPLIER,
    Means,
    Quantisation,
    dense_integers,
    least_scale_of_means,
    pool_requantisation,
    quantisation_of,
    requantisation,
    weight_scales,
)

NOTHING = np.zeros(4)
ANY = np.zeros(4, bool)


def quantised(real: np.ndarray, of: Quantisation) -> np.ndarray:
    return np.clip(np.rint(real / of.scale) + of.zero, -128, 127).astype(np.int64)


def test_zero_is_exact_and_the_range_is_used_up() -> None:
    low, high = np.array([0.0, -1.0, -3.0, 0.0]), np.array([2.0, 1.0, 0.0, 0.0])
    of = quantisation_of(low, high, ANY, NOTHING)
    assert of.zero.tolist()[:1] == [-128]
    assert of.zero[2] == 127
    for bound in (low, high):
        back = of.scale * (quantised(bound, of) - of.zero)
        np.testing.assert_allclose(back, bound, atol=1.01 * of.scale.max())
    assert (quantised(np.zeros(4), of) == of.zero).all()


def test_a_symmetric_channel_has_its_zero_at_zero() -> None:
    of = quantisation_of(np.full(4, -1.0), np.full(4, 3.0), ~ANY, NOTHING)
    assert (of.zero == 0).all()
    np.testing.assert_allclose(of.scale, 3 / 127)


def test_a_scale_is_no_finer_than_it_may_be() -> None:
    of = quantisation_of(np.zeros(4), np.ones(4), ANY, np.array([0.0, 0.1, 1.0, 0.0]))
    np.testing.assert_allclose(of.scale, [1 / 255, 0.1, 1.0, 1 / 255])


def layer(seed: int, outputs: int = 6, inputs: int = 20) -> tuple[np.ndarray, ...]:
    """Real weights, bias and inputs (inputs, pixels) of one layer."""
    random = np.random.default_rng(seed)
    weights = random.standard_normal((outputs, inputs)) * random.uniform(0.1, 3, (outputs, 1))
    x = np.maximum(random.standard_normal((inputs, 500)) * random.uniform(0.2, 2, (inputs, 1)), 0)
    return weights, random.standard_normal(outputs), x


def quantise_layer(seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """What a layer gives in int8, brought back, and in real numbers; the coarsest output scale."""
    weights, bias, x = layer(seed)
    count = len(x)
    of_x = quantisation_of(np.zeros(count), x.max(axis=1), np.zeros(count, bool), np.zeros(count))
    expected = weights @ x + bias[:, None]
    outputs = len(bias)
    nothing = np.zeros(outputs)
    of_y = quantisation_of(
        expected.min(axis=1), expected.max(axis=1), nothing.astype(bool), nothing
    )
    q = quantised(x, Quantisation(of_x.scale[:, None], of_x.zero[:, None]))
    every = Quantisation(*(np.broadcast_to(v, weights.shape) for v in (of_x.scale, of_x.zero)))
    means = Means(
        np.broadcast_to(x.mean(axis=1), weights.shape),
        np.broadcast_to(q.mean(axis=1) - of_x.zero, weights.shape),
    )
    integers = requantisation(weights, bias, every, of_y, means)
    sums = integers.weights.astype(np.int64) @ q + integers.bias.astype(np.int64)[:, None]
    y = requantised(sums, integers.multipliers[:, None], integers.shift, 0, -128)
    return of_y.scale[:, None] * (y - of_y.zero[:, None]), expected, float(of_y.scale.max())


@pytest.mark.parametrize("seed", range(4))
def test_a_layer_of_int8_is_near_the_real_one_and_right_in_the_mean(seed: int) -> None:
    result, expected, step = quantise_layer(seed)
    assert np.abs(result - expected).max() < 4 * step
    assert np.abs((result - expected).mean(axis=1)).max() < 0.1 * step


@pytest.mark.parametrize("seed", range(4))
def test_narrow_sums_stay_in_16_bits_whatever_the_inputs(seed: int) -> None:
    weights, bias, _ = layer(seed)
    shape = weights.shape
    inputs = Quantisation(np.full(shape, 0.01), np.full(shape, -128))
    scales = weight_scales(weights * 0.01, bias, np.zeros(len(bias)))
    output = Quantisation(scales * 400, np.zeros(len(bias), np.int64))
    nothing = Means(np.zeros(shape), np.zeros(shape))
    integers = requantisation(weights, bias, inputs, output, nothing)
    assert integers.narrow
    for sign in (1, -1):
        worst = np.where(sign * integers.weights > 0, 127, -128).astype(np.int64)
        sums = (integers.weights * worst).sum(axis=1) + integers.bias
        scaled = (sums * integers.multipliers.astype(np.int64) + (1 << 30)) >> 31
        assert (np.abs(scaled) + (128 << integers.shift) < 1 << 15).all()


def test_sums_far_beyond_int8_are_not_narrow() -> None:
    weights, bias = np.ones((1, 4000)), np.zeros(1)
    inputs = Quantisation(np.ones(weights.shape), np.zeros(weights.shape, np.int64))
    output = Quantisation(np.full(1, 4 / 127), np.zeros(1, np.int64))
    integers = requantisation(weights, bias, inputs, output, Means(weights * 0, weights * 0))
    assert not integers.narrow
    assert 1 <= integers.shift <= 16


def test_multipliers_are_within_what_kernels_take() -> None:
    weights, bias, _ = layer(7)
    inputs = Quantisation(np.full(weights.shape, 0.02), np.zeros(weights.shape, np.int64))
    scales = weight_scales(weights * 0.02, bias, np.zeros(len(bias)))
    output = Quantisation(scales / MOST_MULTIPLIER, np.zeros(len(bias), np.int64))
    integers = requantisation(weights, bias, inputs, output, Means(weights * 0, weights * 0))
    assert integers.multipliers.min() > 0
    assert integers.multipliers.max() <= 1 << 30
    factors = integers.multipliers / 2.0 ** (31 + integers.shift)
    np.testing.assert_allclose(factors, MOST_MULTIPLIER, rtol=1e-6)


def test_a_channel_without_weights_keeps_its_bias() -> None:
    weights, bias = np.zeros((1, 3)), np.array([0.7])
    inputs = Quantisation(np.full((1, 3), 0.1), np.full((1, 3), -128))
    output = Quantisation(np.array([0.01]), np.array([-128]))
    integers = requantisation(weights, bias, inputs, output, Means(weights, weights))
    sums = np.full((1, 1), integers.bias[0], np.int64)
    assert (
        requantised(sums, integers.multipliers[:, None], integers.shift, 0, -128)[0, 0] == 70 - 128
    )


def test_the_mean_of_a_channel_comes_of_its_sum() -> None:
    x = np.random.default_rng(0).integers(-128, 128, (4, 49))
    read = Quantisation(np.full(4, 0.03), np.full(4, -128))
    real = (read.scale[:, None] * (x - read.zero[:, None])).mean(axis=1)
    means = quantisation_of(np.zeros(4), real * 1.2, ANY, least_scale_of_means(read, 49))
    integers = pool_requantisation(read, means, 49)
    sums = x.sum(axis=1) + integers.bias.astype(np.int64)
    q = requantised(sums, integers.multipliers, integers.shift, 0, -128)
    np.testing.assert_allclose(means.scale * (q - means.zero), real, atol=0.51 * means.scale.max())


def test_a_dense_layer_gives_real_values_in_units_of_its_weights() -> None:
    weights, bias, x = layer(3)
    x = x[:, 0]
    inputs = quantisation_of(np.zeros(20), np.full(20, 4.0), np.zeros(20, bool), np.zeros(20))
    q = quantised(x, inputs)
    integers, biases, scales = dense_integers(weights, bias, inputs, Means(x, q - inputs.zero))
    result = (integers.astype(np.int64) @ q + biases) * scales
    np.testing.assert_allclose(result, weights @ x + bias, atol=float(scales.max()))
