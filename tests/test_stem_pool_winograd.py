"""The stem with its max pool, whose rows share products, gives what the two give one by one."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from compile.schedules.stem_pool_winograd import pack_weights, unpack_weights
from compile.schedules.stem_pool_winograd_tiles import (
    StemPoolWinogradTile,
    default_tile,
    fitting_tiles,
    is_offered,
)
from compile.schedules.stem_pool_workload import StemPoolWorkload
from tests.cores import A72, AVX2, AVX512
from tests.test_stem_pool import definition, operands_of, output_of

SMALL = StemPoolWorkload(12, 3, (16, 48), winograd=True)


def with_channels(workload: StemPoolWorkload) -> StemPoolWorkload:
    """The same with channels in the lanes."""
    return dataclasses.replace(workload, layout="channels")


@pytest.mark.parametrize(
    ("size", "outputs", "inputs"),
    [
        ((16, 32), 12, 3),
        ((4, 64), 6, 1),  # one row of the pool
        ((8, 36), 24, 3),  # two columns more than a vector
        ((12, 76), 5, 2),  # no number of channels divides it
        ((8, 32), 20, 3),  # more channels together than the pool has columns
        ((8, 224), 12, 3),
    ],
)
def test_every_size_gives_the_definition(size: tuple[int, int], outputs: int, inputs: int) -> None:
    w = StemPoolWorkload(outputs, inputs, size, winograd=True)
    assert is_offered(w, AVX512)
    expected = definition(w)
    for each, threads in ((w, 1), (with_channels(w), 3)):  # more threads than rows, too
        output = output_of(each, default_tile(w, AVX512), threads)
        np.testing.assert_allclose(output, expected, atol=2e-5)


def test_no_tile_no_thread_and_no_layout_changes_a_bit() -> None:
    expected = output_of(SMALL, default_tile(SMALL, AVX512))
    tiles = list(fitting_tiles(SMALL, AVX512))
    shapes = {(tile.channels, tile.vectors) for tile in tiles}
    assert shapes == {(1, 2), (1, 4), (1, 6), (2, 2), (2, 4), (3, 2), (4, 2)}
    for tile in tiles:
        assert (output_of(SMALL, tile) == expected).all(), tile
    for threads in (2, 3, 4):
        assert (output_of(SMALL, tiles[0], threads) == expected).all(), threads
        assert (output_of(with_channels(SMALL), tiles[-1], threads) == expected).all(), threads


ODD = {
    "a NaN": {(1, 7, 9): math.nan},
    "an infinite pixel that one row of the convolution sees": {(0, 8, 20): math.inf},
    "one that both rows of a pair see": {(2, 5, 21): -math.inf},
    "one that rows of two pairs see": {(2, 11, 46): math.inf},
    "infinities at the borders": {(0, 0, 0): math.inf, (1, 15, 47): -math.inf},
    "two whose difference is no number": {(0, 5, 9): math.inf, (0, 7, 9): math.inf},
    "finite ones whose difference is infinite": {(0, 5, 9): 3e38, (0, 7, 9): -3e38},
}


@pytest.mark.parametrize("name", ODD)
def test_odd_pixels_give_what_pytorch_gives(name: str) -> None:
    x, weights, bias = operands_of(SMALL)
    for place, value in ODD[name].items():
        x[place] = value
    weights, bias = weights * 0.125, bias + 9  # most values are above 0
    given = (torch.from_numpy(values) for values in (x, weights, bias))
    x_, w_, b_ = given
    convolved = functional.conv2d(x_[None], w_, b_, stride=2, padding=1)
    expected = functional.max_pool2d(functional.relu(convolved), 3, 2, 1)[0].numpy()
    assert name.startswith("finite") or not np.isfinite(expected).all()
    for threads, workload in ((1, SMALL), (3, with_channels(SMALL))):
        y = output_of(workload, default_tile(SMALL, AVX512), threads, (x, weights, bias))
        assert np.array_equal(np.isnan(y), np.isnan(expected))
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=2e-5)


def test_a_row_with_an_infinite_pixel_changes_no_other() -> None:
    """Rows 4 and 5 of the convolution see it, of which row 2 of the pool is made value by value; to
    row 3 it hands the last."""
    x, weights, bias = operands_of(SMALL)
    bias = bias + 9
    tile = default_tile(SMALL, AVX512)
    usual = output_of(SMALL, tile, operands=(x, weights, bias))
    x[0, 9, 20] = math.inf
    y = output_of(SMALL, tile, operands=(x, weights, bias))
    assert (y[:, :2] == usual[:, :2]).all()
    np.testing.assert_allclose(y[:, 2:, :4], usual[:, 2:, :4], atol=2e-5)
    assert (usual[:, 2:, :4] > 0).any()
    assert not np.isfinite(y[:, 2, 4:6]).all()


def test_packed_weights_are_the_sums_that_the_terms_need_and_come_out_again() -> None:
    weights = operands_of(SMALL)[1]
    tile = StemPoolWinogradTile(channels=2, vectors=4, lanes=16)
    packed = pack_weights(weights, SMALL, tile)
    assert packed.shape == (6, 3, 3, 4, 2)
    above, beside, below = weights[5, 2, :, 1]
    expected = [above, beside, above + below, -below]
    np.testing.assert_array_equal(packed[2, 2, 1, :, 1], np.array(expected))
    np.testing.assert_array_equal(unpack_weights(packed, SMALL, tile), weights)


def test_the_default_has_the_most_accumulators_and_of_these_the_least_loads() -> None:
    assert default_tile(SMALL, AVX512) == StemPoolWinogradTile(channels=4, vectors=2, lanes=16)
    six = dataclasses.replace(SMALL, outputs=6)
    assert default_tile(six, AVX512) == StemPoolWinogradTile(channels=2, vectors=4, lanes=16)
    assert default_tile(six, AVX512).accumulators == 24


@pytest.mark.parametrize("size", [(18, 32), (16, 34), (17, 32), (16, 28)])
def test_uneven_and_narrow_pictures_are_not_offered(size: tuple[int, int]) -> None:
    assert not is_offered(dataclasses.replace(SMALL, size=size), AVX512)


def test_only_avx_512_has_it() -> None:
    assert is_offered(SMALL, AVX512)
    assert not is_offered(SMALL, AVX2)
    assert not is_offered(SMALL, A72)
