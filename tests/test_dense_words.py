"""Weights of 24 bits: what they are off by, what sums lose, and where floats stay."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from compile.lower import lower
from compile.schedules.dense import pack_weights, unpack_weights
from compile.schedules.dense_tiles import DenseTile, default_tile, fitting_tiles
from compile.schedules.dense_words import NEAR, may_be_words, weight_bits
from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.packing import repacked
from compile.schedules.precision import stated_fields
from compile.schedules.templates import Made, made_from
from deploy_rpc.cores import Core, find_core
from tests.cores import A72, AVX2, AVX512, host_with_schedules_of
from tests.small_networks import small_network
from tests.test_dense import answer, output_of
from tests.test_fuse_pointwise import check_numbers

X86 = (AVX2, AVX512)
# fmt: off
LAYERS = {
    #                    M    K   relu  pixels layout
    "classifier":       (100, 96, False,  1, "planes"),
    "overlapping tiles": (70, 37, True,   1, "planes"),
    "fewer than sums":  (64,   3, False,  1, "planes"),
    "long":             (64, 960, False,  1, "planes"),
    "head of planes":   (100, 96, False, 49, "planes"),
    "head of channels": (130, 50, True,  49, "channels"),
}
# fmt: on


def layer(name: str) -> DenseWorkload:
    return DenseWorkload(*LAYERS[name], weight_bits=24)


def of_floats(w: DenseWorkload) -> DenseWorkload:
    return dataclasses.replace(w, weight_bits=32)


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def inputs(count: int) -> np.ndarray:
    """(K, 1) as behind a ReLU."""
    return np.abs(drawn(count, 1, seed=1))


@pytest.mark.parametrize("core", X86, ids=lambda core: core.name)
@pytest.mark.parametrize("name", LAYERS)
def test_every_tile_gives_the_definition(name: str, core: Core) -> None:
    w = layer(name)
    for tile in fitting_tiles(w, core):
        got, expected = output_of(w, tile)
        np.testing.assert_allclose(got, expected, atol=1e-4)  # float32 sums of up to 96 products


@pytest.mark.parametrize(
    "name", ["head of channels", "head of planes", "overlapping tiles", "classifier"]
)
def test_threads_change_no_bit(name: str) -> None:
    w = layer(name)
    one, two = (output_of(w, default_tile(w, AVX512), threads)[0] for threads in (1, 2))
    assert np.array_equal(one, two)


def loss(weights: np.ndarray, x: np.ndarray, core: Core) -> float:
    """By how much sums are off with weights of 24 bits, in terms of those with floats."""
    assert may_be_words(weights)
    w = DenseWorkload(*weights.shape, False, weight_bits=24)
    bias = np.zeros(w.outputs, np.float32)
    expected = weights.astype(np.float64) @ x[:, 0].astype(np.float64)
    errors = [
        np.square(answer(each, default_tile(each, core), x, weights, bias) - expected).mean()
        for each in (w, of_floats(w))
    ]
    assert min(errors) > 0
    return np.sqrt(errors[0] / errors[1])


def with_a_largest(weights: np.ndarray) -> np.ndarray:
    """Of each output one that is far above its middle."""
    outputs, inputs = weights.shape
    one = np.arange(inputs) == np.arange(outputs)[:, np.newaxis] % inputs
    middle = np.median(np.abs(weights), axis=1, keepdims=True)
    return np.where(one, 15 * middle, weights).astype(np.float32)


def columns_scaled(factor: float, every: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights of which some columns are small, and inputs that are as much larger there."""
    scales = np.where(np.arange(960) % every == 0, factor, 1).astype(np.float32)
    return drawn(1000, 960) * scales, inputs(960) / scales[:, np.newaxis]


LOSSES = {
    "gaussian": (drawn(1000, 960), inputs(960), 1.5),
    "some columns small": (*columns_scaled(1e-6, every=10), 1.5),
    "many columns small": (*columns_scaled(1e-3, every=3), 1.5),
    "sparse": (drawn(1000, 960) * (drawn(1000, 960, seed=2) > 1), inputs(960), 2),
    "a largest one each": (with_a_largest(drawn(1000, 960)), inputs(960), 3),
    "of few inputs": (with_a_largest(drawn(1000, 64)), inputs(64), 4),
}


@pytest.mark.parametrize("core", X86, ids=lambda core: core.name)
@pytest.mark.parametrize("name", LOSSES)
def test_sums_lose_about_what_they_lose_in_float32(name: str, core: Core) -> None:
    weights, x, most = LOSSES[name]
    assert loss(weights, x, core) < most


@pytest.mark.parametrize("core", X86, ids=lambda core: core.name)
@pytest.mark.parametrize("name", LAYERS)
def test_a_weight_is_off_by_a_half_and_stays_what_it_is(name: str, core: Core) -> None:
    w = layer(name)
    weights = drawn(w.outputs, w.inputs) * np.geomspace(1e-7, 1e7, w.outputs)[:, np.newaxis]
    weights = (weights * np.geomspace(1e7, 1e-7, w.inputs)).astype(np.float32)
    tile = default_tile(w, core)
    kept = unpack_weights(pack_weights(weights, w, tile), w, tile)
    exponents = np.rint(np.frexp(weights)[1].mean(axis=0)).astype(int)
    units = np.abs(np.ldexp(weights, -exponents)).max(axis=1, keepdims=True)
    # Half of 2^-23 of the unit, and the rounding of the value itself to float32.
    off = np.ldexp(np.abs(kept - weights), -exponents)
    assert (off <= units * 2.0**-24 * 1.001 + np.ldexp(np.abs(kept), -exponents) * 2.0**-24).all()
    other = fitting_tiles(w, AVX2)[-1]
    again = unpack_weights(pack_weights(kept, w, other), w, other)
    np.testing.assert_array_equal(again, kept)


def test_zeros_stay_zeros() -> None:
    w = layer("classifier")
    tile = default_tile(w, AVX512)
    weights = np.where(drawn(w.outputs, w.inputs, seed=2) > 0.5, drawn(w.outputs, w.inputs), 0)
    weights[7] = 0
    kept = unpack_weights(pack_weights(weights.astype(np.float32), w, tile), w, tile)
    assert np.array_equal(kept == 0, weights == 0)
    infinite = np.full((w.inputs, 1), np.inf, np.float32)
    bias = np.zeros(w.outputs, np.float32)
    assert np.isnan(answer(w, tile, infinite, weights.astype(np.float32), bias)[7])  # inf * 0


@pytest.mark.parametrize("name", ["long", "head of channels"])
@pytest.mark.parametrize("of_weights", [1e-7, 1, 1e7])
@pytest.mark.parametrize("of_products", [1e-29, 1e30])
def test_nothing_overflows_or_vanishes_that_floats_keep(
    name: str, of_weights: float, of_products: float
) -> None:
    """Of positive products, whose sum is the largest there is."""
    w = dataclasses.replace(layer(name), relu=False)
    weights = np.abs(drawn(w.outputs, w.inputs)) + 0.1
    x = np.abs(drawn(w.inputs, w.pixels, seed=1)) + 0.1
    weights = (weights * of_weights).astype(np.float32)
    x = (x * (of_products / of_weights)).astype(np.float32)
    assert weight_bits(weights, AVX512) == 24
    bias = np.zeros(w.outputs, np.float32)
    got, floats = (
        answer(each, default_tile(each, AVX512), x, weights, bias) for each in (w, of_floats(w))
    )
    np.testing.assert_allclose(got, floats, rtol=1e-5)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_odd_inputs_give_what_floats_give(odd: float) -> None:
    w = layer("classifier")
    x, weights = drawn(w.inputs, 1), drawn(w.outputs, w.inputs)
    x[5] = odd
    bias = np.zeros(w.outputs, np.float32)
    got, floats = (
        answer(each, default_tile(each, AVX512), x, weights, bias) for each in (w, of_floats(w))
    )
    np.testing.assert_array_equal(got, floats)


def test_weights_go_from_one_tile_to_another() -> None:
    w = layer("classifier")
    old, new = (Made("dense", w, DenseTile(sums, 4, lanes), 1) for sums, lanes in ((2, 8), (5, 16)))
    weights = drawn(w.outputs, w.inputs)
    moved = repacked(old.packed(weights), old, new)
    np.testing.assert_allclose(
        unpack_weights(moved, w, new.tile), weights, rtol=0, atol=2.0**-22 * np.abs(weights).max()
    )


def with_one(value: float) -> np.ndarray:
    """Gaussian weights, of which one is `value`."""
    weights = drawn(100, 960)
    weights[3, 2] = value
    return weights


WIDE = {
    "gaussian": (drawn(100, 960), 24),
    "zeros": (np.zeros((100, 960), np.float32), 24),
    "a zero input": (drawn(100, 960) * (np.arange(960) != 7), 24),
    "a zero output": (drawn(100, 960) * (np.arange(100) != 7)[:, np.newaxis], 24),
    "one input": (drawn(100, 1), 24),
    "small": (drawn(100, 960) * np.float32(1e-6), 24),
    "large": (drawn(100, 960) * np.float32(1e6), 24),
    "one denormal": (with_one(1e-40), 32),
    "one near the largest float": (with_one(3e38), 32),
    "one far larger": (with_one(1000), 32),
    "one infinite": (with_one(np.inf), 32),
    "one NaN": (with_one(np.nan), 32),
    "few outputs": (drawn(63, 960), 32),
}


@pytest.mark.parametrize("name", WIDE)
def test_weights_have_24_bits_where_that_loses_little(name: str) -> None:
    weights, bits = WIDE[name]
    assert weight_bits(weights, AVX512) == bits


def test_vectors_of_256_bits_have_them_where_weights_come_from_memory() -> None:
    inputs = NEAR[AVX2.vector_bits] // (4 * 1000)
    assert weight_bits(drawn(1000, inputs), AVX2) == 32
    assert weight_bits(drawn(1000, inputs + 100), AVX2) == 24


@pytest.mark.parametrize("core", [A72, find_core("cortex-a7")], ids=lambda core: core.name)
def test_an_arm_core_keeps_floats(core: Core) -> None:
    assert weight_bits(drawn(1000, 960), core) == 32


def test_records_and_notes_of_floats_are_what_they_were() -> None:
    assert "weight_bits" not in stated_fields(of_floats(layer("classifier")))
    assert stated_fields(layer("classifier"))["weight_bits"] == 24


class Classifier(nn.Module):
    """Two fully connected layers of more outputs than four vectors."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(75, 80), nn.Linear(80, 70)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(x.flatten(1))))


def bits_of(module: nn.Module, core: Core) -> list[int]:
    lowered = lower(small_network(module, 5), "fused", host_with_schedules_of(core))
    notes = [made_from(lowered.module[kernel.name]) for kernel in lowered.kernels]
    return [note.workload.weight_bits for note in notes]


def test_a_network_has_them_on_x86() -> None:
    assert bits_of(Classifier(), AVX512) == [24, 24]
    assert bits_of(Classifier(), A72) == [32, 32]
    check_numbers(small_network(Classifier(), 5))


def test_of_two_layers_one_may_keep_floats() -> None:
    module = Classifier()
    with torch.no_grad():
        module.second.weight[3, 2] = 1000  # far larger than others of its input and its output
    assert bits_of(module, AVX512) == [24, 32]
    check_numbers(small_network(module, 5))
