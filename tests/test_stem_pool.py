"""The stem with its max pool gives what the two give one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
import torch
import tvm
from torch.nn import functional

from compile.schedules.stem_pool import (
    StemPoolTile,
    default_tile,
    fitting_tiles,
    is_offered,
)
from compile.schedules.stem_pool_channels_tiles import StemPoolChannelsTile
from compile.schedules.stem_pool_workload import StemPoolWorkload
from compile.schedules.templates import Made, template_of
from tests.cores import A72, AVX2, AVX512

SMALL = StemPoolWorkload(8, 3, (16, 32))


def output_of(
    w: StemPoolWorkload,
    tile: StemPoolTile | StemPoolChannelsTile,
    threads: int = 1,
    operands: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """As planes, in either layout; of `operands_of(w)` by default."""
    x, weights, bias = operands_of(w) if operands is None else operands
    made = Made(template_of(w), w, tile, threads)
    planes = (w.outputs, *w.output_size)
    y = np.full(planes if w.layout == "planes" else (*planes[1:], planes[0]), np.nan, np.float32)
    values = (x, made.packed(weights), bias, y)
    tensors = [tvm.runtime.tensor(value) for value in values]
    kernel = made.kernel().with_attr("global_symbol", "main")
    tvm.compile(kernel, target="llvm")["main"](*tensors)
    y = tensors[-1].numpy()
    return y if w.layout == "planes" else y.transpose(2, 0, 1)


def operands_of(w: StemPoolWorkload) -> list[np.ndarray]:
    """A negative bias on the whole: most values are cut off by the ReLU."""
    random = np.random.default_rng(0)
    shapes = (w.inputs, *w.size), (w.outputs, w.inputs, 3, 3), (w.outputs,)
    x, weights, bias = (random.standard_normal(shape).astype(np.float32) for shape in shapes)
    return [x, weights, bias - 9]


def definition(w: StemPoolWorkload) -> np.ndarray:
    x, weights, bias = (torch.from_numpy(values).double() for values in operands_of(w))
    convolved = functional.conv2d(x[None], weights, bias, stride=2, padding=1)
    return functional.max_pool2d(functional.relu(convolved), 3, 2, 1)[0].numpy()


@pytest.mark.parametrize("size", [(16, 32), (4, 16), (32, 48), (20, 16)])
@pytest.mark.parametrize("inputs", [1, 3])
def test_every_size_gives_the_definition(size: tuple[int, int], inputs: int) -> None:
    w = StemPoolWorkload(6, inputs, size)
    assert is_offered(w, A72)
    expected = definition(w)
    assert (expected == 0).any()
    assert (expected > 0).any()
    np.testing.assert_allclose(output_of(w, default_tile(w, A72)), expected, atol=2e-5)


def test_no_tile_and_no_thread_changes_a_bit() -> None:
    expected = output_of(SMALL, default_tile(SMALL, A72))
    tiles = list(fitting_tiles(SMALL, A72))
    assert len({(tile.channels, tile.vectors, tile.band, tile.whole) for tile in tiles}) > 10
    for tile in tiles[::3]:
        assert (output_of(SMALL, tile) == expected).all(), tile
    assert (output_of(SMALL, tiles[0], threads=3) == expected).all()


def test_negative_values_are_compared_as_floats_without_maxnum() -> None:
    tile = dataclasses.replace(default_tile(SMALL, A72), maxnum=False)
    assert (output_of(SMALL, tile) == output_of(SMALL, default_tile(SMALL, A72))).all()


@pytest.mark.parametrize("size", [(18, 32), (16, 34), (17, 32), (16, 24)])
def test_uneven_pictures_and_broken_vectors_are_not_offered(size: tuple[int, int]) -> None:
    assert not is_offered(StemPoolWorkload(8, 3, size), A72)


def test_x86_does_not_offer_it() -> None:
    assert not is_offered(SMALL, AVX512)
    assert not is_offered(SMALL, AVX2)


def test_macs_are_those_of_the_convolution() -> None:
    assert StemPoolWorkload(24, 3, (224, 224)).macs == 24 * 112 * 112 * 27
