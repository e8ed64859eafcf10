"""The stem with its max pool and channels in the lanes gives what the two give in turn."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from compile.schedules.stem_pool_channels_tiles import (
    StemPoolChannelsTile,
    default_tile,
    fitting_tiles,
    is_offered,
)
from compile.schedules.stem_pool_workload import StemPoolWorkload
from tests.cores import A72, AVX2, AVX512
from tests.test_stem_pool import definition, operands_of, output_of

SMALL = StemPoolWorkload(24, 3, (16, 24), layout="channels")


@pytest.mark.parametrize("size", [(16, 32), (4, 4), (8, 20), (20, 4)])
@pytest.mark.parametrize("inputs", [1, 3])
def test_every_size_gives_the_definition(size: tuple[int, int], inputs: int) -> None:
    w = StemPoolWorkload(8, inputs, size, layout="channels")
    assert is_offered(w, AVX2)
    output = output_of(w, default_tile(w, AVX2))
    np.testing.assert_allclose(output, definition(w), atol=2e-5)


def test_a_half_lies_behind_several_whole_vectors() -> None:
    w = dataclasses.replace(SMALL, outputs=40, layout="channels")
    output = output_of(w, default_tile(w, AVX512), 2)
    np.testing.assert_allclose(output, definition(w), atol=2e-5)


@pytest.mark.parametrize("size", [(16, 32), (4, 4), (8, 20), (20, 12)])
def test_half_a_vector_of_channels_is_shared_by_two_columns(size: tuple[int, int]) -> None:
    """Of 24 channels; tiles of several values where columns divide by them, alike to the bit."""
    w = StemPoolWorkload(24, 3, size, layout="channels")
    tiles = fitting_tiles(w, AVX512)
    assert {(tile.halved, tile.values, tile.accumulators) for tile in tiles} <= {
        (True, 1, 8), (True, 2, 16), (True, 3, 24),
    }  # fmt: skip
    outputs = [output_of(w, tile, threads) for tile, threads in zip(tiles, (1, 2, 3), strict=False)]
    np.testing.assert_allclose(outputs[0], definition(w), atol=2e-5)
    assert all((output == outputs[0]).all() for output in outputs)


def test_the_relu_cuts_some_values_off_in_these_tests() -> None:
    expected = definition(SMALL)
    assert 0.1 < (expected == 0).mean() < 0.9


def test_no_tile_and_no_thread_changes_a_bit() -> None:
    expected = output_of(SMALL, default_tile(SMALL, AVX2))
    tiles = list(fitting_tiles(SMALL, AVX2))
    shapes = [(tile.vectors, tile.values) for tile in tiles]
    assert shapes == [(1, 1), (3, 1), (1, 2), (1, 3)]
    for tile in tiles:
        assert (output_of(SMALL, tile) == expected).all(), tile
    for threads in (2, 3, 4):
        assert (output_of(SMALL, tiles[1], threads) == expected).all(), threads


def test_a_nan_comes_out_wherever_a_window_sees_it_and_nowhere_else() -> None:
    operands = operands_of(SMALL)
    operands[0][1, 7, 9] = math.nan  # of the convolution's rows 3 and 4, columns 4 and 5
    seen = np.zeros(SMALL.output_size, bool)
    seen[1:3, 2:4] = True
    for core in (AVX2, AVX512):
        y = output_of(SMALL, default_tile(SMALL, core), operands=operands)
        assert (np.isnan(y) == seen).all(), core.name


def test_the_default_has_as_many_accumulators_as_the_registers_hold() -> None:
    assert default_tile(SMALL, AVX2) == StemPoolChannelsTile(vectors=3, lanes=8)
    wide = dataclasses.replace(SMALL, outputs=64)
    assert default_tile(wide, AVX2) == StemPoolChannelsTile(vectors=2, lanes=8)
    assert default_tile(wide, AVX512) == StemPoolChannelsTile(vectors=4, lanes=16)
    halved = StemPoolChannelsTile(vectors=1, lanes=16, values=2, halved=True)
    assert default_tile(SMALL, AVX512) == halved
    assert halved.accumulators == 16


@pytest.mark.parametrize("size", [(18, 32), (16, 34), (17, 32)])
def test_uneven_pictures_are_not_offered(size: tuple[int, int]) -> None:
    assert not is_offered(dataclasses.replace(SMALL, size=size), AVX2)


def test_broken_vectors_and_other_cores_do_not_offer_it() -> None:
    assert is_offered(SMALL, AVX2)
    assert is_offered(SMALL, AVX512)  # 24 channels are one vector and a half
    assert not is_offered(dataclasses.replace(SMALL, outputs=20), AVX512)
    assert not is_offered(dataclasses.replace(SMALL, outputs=8), AVX512)  # none is whole
    assert not is_offered(dataclasses.replace(SMALL, outputs=104), AVX512)  # 28 accumulators
    assert not is_offered(dataclasses.replace(SMALL, outputs=12), AVX2)
    assert not is_offered(SMALL, A72)
