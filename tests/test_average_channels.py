"""Means with channels in the lanes have the bits that they have over planes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tvm
from tvm import tirx

from compile.schedules.pool import pool
from compile.schedules.pool_tiles import PoolTile
from compile.schedules.window_channels import window_channels
from compile.schedules.window_channels_tiles import WindowChannelsTile
from compile.schedules.window_workload import WindowWorkload
from tests.test_pool import POOLS, workload_of

AVERAGES = [name for name in POOLS if workload_of(name).is_average]
TILES = [
    WindowChannelsTile(1, 3, 1),
    WindowChannelsTile(2, 1, 4),
    WindowChannelsTile(2, 3, 1),
    WindowChannelsTile(2, 3, 1, channels_outer=True),
]


def result_of(kernel: tirx.PrimFunc, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    tensors = [tvm.runtime.tensor(value) for value in (x, np.full(shape, np.nan, np.float32))]
    tvm.compile(kernel.with_attr("global_symbol", "main"), target="llvm")["main"](*tensors)
    return tensors[-1].numpy()


@pytest.mark.parametrize("tile", TILES, ids=str)
@pytest.mark.parametrize("name", AVERAGES)
def test_means_are_those_over_planes_to_the_last_bit(name: str, tile: WindowChannelsTile) -> None:
    w = dataclasses.replace(workload_of(name), groups=5)
    planes = np.random.default_rng(0).standard_normal((5, *w.size)).astype(np.float32)
    expected = result_of(pool(w, PoolTile(1, maxnum=False), 1), planes, (5, *w.output_size))
    across = dataclasses.replace(w, layout="channels")
    x = np.ascontiguousarray(planes.transpose(1, 2, 0))
    result = result_of(window_channels(across, tile, 1), x, (*w.output_size, 5))
    np.testing.assert_array_equal(result.transpose(2, 0, 1), expected)


@pytest.mark.parametrize("name", AVERAGES)
def test_threads_share_blocks_of_channels_and_change_no_bit(name: str) -> None:
    w = dataclasses.replace(workload_of(name), groups=5, layout="channels")
    x = np.random.default_rng(0).standard_normal((*w.size, 5)).astype(np.float32)
    tile = WindowChannelsTile(2, 3, 1, channels_outer=True)
    one, two = (
        result_of(window_channels(w, tile, threads), x, (*w.output_size, 5)) for threads in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


def loads(w: WindowWorkload, tile: WindowChannelsTile) -> int:
    return window_channels(w, tile, 1).script().count("X[")


def test_many_rows_of_taps_share_their_code() -> None:
    w = WindowWorkload("average", 8, 1, 1, (56, 3), (56, 3), 1, (0, 0), layout="channels")
    assert loads(w, WindowChannelsTile(1, 2, 4)) == 3 * 2  # the first row, and all others


def test_a_column_of_taps_is_read_once_for_all_pixels_and_borders_share_a_vector() -> None:
    w = WindowWorkload("average", 8, 1, 1, (15, 15), (3, 3), 2, (0, 0), layout="channels")
    assert loads(w, WindowChannelsTile(7, 2, 4)) == 15 * 3 * 2
    bordered = dataclasses.replace(w, padding=(1, 0, 0, 0))
    assert loads(bordered, WindowChannelsTile(7, 2, 4)) == 15 * 3 * 2 + 15 * 2
