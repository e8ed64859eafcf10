"""The stem with its max pool, whose rows share products, gives what the two give one by one."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from compile.schedules.stem_pool_winograd import (
    StemPoolWinogradTile,
    default_tile,
    fitting_tiles,
    is_offered,
    pack_weights,
    unpack_weights,
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
        ((8, 224), 12, 3),
    ],
)
def test_every_size_gives_the_definition(size: tuple[int, int], outputs: int, inputs: int) -> None:
    w = StemPoolWorkload(outputs, inputs, size, winograd=True)
    assert is_offered(w, AVX512)
    expected = definition(w)
    np.testing.assert_allclose(output_of(w, default_tile(w, AVX512)), expected, atol=2e-5)


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
    given = (torch.from_numpy(values) for values in (x, weights * 0.125, bias))
    x_, w_, b_ = given
    convolved = functional.conv2d(x_[None], w_, b_, stride=2, padding=1)
    expected = functional.max_pool2d(functional.relu(convolved), 3, 2, 1)[0].numpy()
    assert not np.isfinite(expected).all() or "finite" in name
    for threads, workload in ((1, SMALL), (3, with_channels(SMALL))):
        y = output_of(workload, default_tile(SMALL, AVX512), threads, x, weights * 0.125)
        assert np.array_equal(np.isnan(y), np.isnan(expected))
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=2e-5)


def test_a_row_with_an_infinite_pixel_changes_no_other() -> None:
    x = operands_of(SMALL)[0]
    usual = output_of(SMALL, default_tile(SMALL, AVX512))
    x[0, 8, 20] = math.inf  # of row 4 of the convolution, which rows 2 and 1 of the pool see
    y = output_of(SMALL, default_tile(SMALL, AVX512), x=x)
    assert (y[:, 0] == usual[:, 0]).all()
    assert (y[:, 3] == usual[:, 3]).all()
    np.testing.assert_allclose(y[:, 1:3, :4], usual[:, 1:3, :4], atol=2e-5)


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
