"""Weights of 24 bits: what they are off by, that sums lose no more, and where floats stay."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from compile.lower import lower
from compile.schedules.dense_tiles import DenseTile, default_tile, fitting_tiles
from compile.schedules.dense_weights import pack_weights, unpack_weights, weight_bits
from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.packing import repacked
from compile.schedules.precision import stated_fields
from compile.schedules.templates import Made, made_from
from deploy_rpc.cores import Core
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
    "head of planes":   (100, 96, False, 49, "planes"),
    "head of channels": (130, 50, True,  49, "channels"),
}
# fmt: on


def layer(name: str) -> DenseWorkload:
    return DenseWorkload(*LAYERS[name], weight_bits=24)


def of_floats(w: DenseWorkload) -> DenseWorkload:
    return dataclasses.replace(w, weight_bits=32)


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("core", X86, ids=lambda core: core.name)
@pytest.mark.parametrize("name", LAYERS)
def test_every_tile_gives_the_definition(name: str, core: Core) -> None:
    w = layer(name)
    for tile in fitting_tiles(w, core):
        got, expected = output_of(w, tile)
        np.testing.assert_allclose(got, expected, atol=1e-4)  # float32 sums of up to 96 products


@pytest.mark.parametrize("name", ["head of channels", "overlapping tiles"])
def test_threads_change_no_bit(name: str) -> None:
    w = layer(name)
    one, two = (output_of(w, default_tile(w, AVX512), threads)[0] for threads in (1, 2))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("core", X86, ids=lambda core: core.name)
def test_a_sum_loses_no_more_than_in_float32(core: Core) -> None:
    w = DenseWorkload(1000, 960, False, weight_bits=24)
    errors = {}
    for each in (w, of_floats(w)):
        got, expected = output_of(each, default_tile(each, core))
        errors[each.weight_bits] = np.sqrt(np.square(got - expected).mean())
    assert 0 < errors[24] < 1.5 * errors[32]


@pytest.mark.parametrize("core", X86, ids=lambda core: core.name)
@pytest.mark.parametrize("name", LAYERS)
def test_a_weight_is_off_by_half_a_unit_and_keeps_it(name: str, core: Core) -> None:
    w = layer(name)
    weights = drawn(w.outputs, w.inputs) * np.geomspace(1e-30, 1e30, w.outputs)[:, np.newaxis]
    weights = weights.astype(np.float32)
    tile = default_tile(w, core)
    kept = unpack_weights(pack_weights(weights, w, tile), w, tile)
    units = np.abs(weights).max(axis=1, keepdims=True)
    # Half a unit of 2^-23, and the rounding of the value itself to float32.
    assert (np.abs(kept - weights) <= units * (2.0**-24 + 2.0**-24)).all()
    again = unpack_weights(pack_weights(kept, w, tile), w, tile)
    np.testing.assert_allclose(again, kept, rtol=0, atol=2.0**-23 * units.max())


def test_zeros_stay_zeros() -> None:
    w = layer("classifier")
    tile = default_tile(w, AVX512)
    weights = np.where(drawn(w.outputs, w.inputs) > 0.5, drawn(w.outputs, w.inputs), 0)
    weights[7] = 0
    kept = unpack_weights(pack_weights(weights.astype(np.float32), w, tile), w, tile)
    assert np.array_equal(kept == 0, weights == 0)
    infinite = np.full((w.inputs, 1), np.inf, np.float32)
    bias = np.zeros(w.outputs, np.float32)
    assert np.isnan(answer(w, tile, infinite, weights.astype(np.float32), bias)[7])  # inf * 0


@pytest.mark.parametrize("name", ["classifier", "head of channels"])
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_nothing_overflows_or_vanishes_that_floats_keep(name: str, scale: float) -> None:
    w = dataclasses.replace(layer(name), relu=False)
    x, weights = drawn(w.inputs, w.pixels) * np.float32(scale), drawn(w.outputs, w.inputs)
    bias = np.zeros(w.outputs, np.float32)
    got, floats = (
        answer(each, default_tile(each, AVX512), x, weights, bias) for each in (w, of_floats(w))
    )
    np.testing.assert_allclose(got / scale, floats / scale, atol=1e-4)


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


def with_an_outlier(weights: np.ndarray) -> np.ndarray:
    weights[3, 2] = 1000
    return weights


WIDE = {
    "gaussian": (drawn(100, 960), 24),
    "zeros": (np.zeros((100, 960), np.float32), 24),
    "tiny": (drawn(100, 960) * np.float32(1e-30), 24),
    "huge": (drawn(100, 960) * np.float32(1e30), 24),
    "one far larger": (with_an_outlier(drawn(100, 960)), 32),
    "one infinite": (np.where(np.arange(960) == 7, np.inf, drawn(100, 960)), 32),
    "one NaN": (np.where(np.arange(960) == 7, np.nan, drawn(100, 960)), 32),
    "few outputs": (drawn(63, 960), 32),
}


@pytest.mark.parametrize("name", WIDE)
def test_weights_have_24_bits_where_that_loses_nothing(name: str) -> None:
    weights, bits = WIDE[name]
    assert weight_bits(weights, AVX512) == bits


def test_an_arm_core_keeps_floats() -> None:
    assert weight_bits(drawn(1000, 960), A72) == 32


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
        module.second.weight[3, 2] = 1000
    assert bits_of(module, AVX512) == [24, 32]
    check_numbers(small_network(module, 5))
