"""Depthwise convolutions by rows in registers are what PyTorch computes, with every border."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import tvm

from compile.schedules import window_channels, window_channels_tiles
from compile.schedules.depthwise_rows import can_convolve_rows
from compile.schedules.registers import accumulator_budget
from compile.schedules.window import pack_weights, window
from compile.schedules.window_tiles import WindowTile, default_tile, tiles_in_registers
from compile.schedules.window_workload import WindowWorkload
from compile.targets import host_target
from tests.cores import A72, AVX2, AVX512

DEPTHWISE = WindowWorkload("conv", 5, 1, 1, (14, 14), (3, 3), 1, (1, 1))


def operands_of(w: WindowWorkload) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = ((w.channels, *w.size), (w.channels, 1, *w.kernel), (w.channels,))
    x, weights, bias = (random.standard_normal(shape).astype(np.float32) for shape in shapes)
    return x, weights, bias


def output_of(
    w: WindowWorkload,
    tile: WindowTile,
    threads: int = 1,
    target: tvm.target.Target | str = "llvm",
) -> np.ndarray:
    x, weights, bias = operands_of(w)
    planes = (w.stored_channels or w.channels, *w.output_size)
    y = np.full((*planes[1:], planes[0]) if w.writes_channels else planes, np.nan, np.float32)
    given = (x, pack_weights(weights, w, tile), *([bias] if w.bias else []), y)
    tensors = [tvm.runtime.tensor(value) for value in given]
    kernel = window(w, tile, threads).with_attr("global_symbol", "main")
    tvm.compile(kernel, target=target)["main"](*tensors)
    return tensors[-1].numpy()


def expected(w: WindowWorkload) -> np.ndarray:
    x, weights, bias = (torch.from_numpy(value) for value in operands_of(w))
    y = torch.nn.functional.conv2d(
        x[None], weights, bias if w.bias else None, w.stride, padding=1, groups=w.channels
    )[0]
    return (y.relu() if w.relu else y).numpy()


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("columns", [8, 14, 28, 50, 104], ids=lambda columns: f"{columns} wide")
def test_rows_are_what_pytorch_computes(columns: int, stride: int) -> None:
    """Rows that end in a whole vector, in a shorter one, and that take a loop over vectors."""
    w = dataclasses.replace(DEPTHWISE, size=(12, columns), stride=stride)
    tile = default_tile(w, A72)
    assert tile.in_registers
    np.testing.assert_allclose(output_of(w, tile), expected(w), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
@pytest.mark.parametrize("shorter", [True, False])
def test_any_tile_is_right(rows: int, shorter: bool) -> None:
    """Seven rows of tiles, the last one beginning earlier, one of them all."""
    w = dataclasses.replace(DEPTHWISE, size=(7, 14), relu=True, bias=False)
    tile = dataclasses.replace(default_tile(w, A72), rows=rows, vectors=2, shorter=shorter)
    assert tile in set(tiles_in_registers(w, A72))
    np.testing.assert_allclose(output_of(w, tile), expected(w), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(14, 14), (7, 7)], ids=["by rows", "by channels"])
def test_threads_change_no_bit_and_channels_of_others_stay(size: tuple[int, int]) -> None:
    w = dataclasses.replace(DEPTHWISE, size=size, first_channel=2, stored_channels=8)
    tile = default_tile(w, A72)
    one, three = output_of(w, tile), output_of(w, tile, threads=3)
    np.testing.assert_array_equal(one, three)
    assert np.isnan(np.delete(one, np.s_[2:7], axis=0)).all()
    np.testing.assert_allclose(one[2:7], expected(w), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("channels", "size", "stride"),
    [
        (30, (28, 28), 2),  # the last of four blocks begins earlier
        (5, (14, 14), 1),  # a block of four, twice
        (12, (12, 14), 2),  # seven columns: blocks of four
        (16, (10, 40), 1),  # a loop over vectors
        (1, (8, 8), 2),
    ],
)
def test_channels_come_into_the_lanes_with_the_bits_of_planes(
    channels: int, size: tuple[int, int], stride: int, bias: bool
) -> None:
    w = dataclasses.replace(
        DEPTHWISE, groups=channels, size=size, stride=stride, relu=True, bias=bias
    )
    across = dataclasses.replace(w, writes_channels=True)
    for core in (AVX512, AVX2):
        tile = default_tile(across, core)
        assert tile.in_registers
        target = host_target().tvm  # with multiply-adds, which round once
        planes = output_of(w, tile, target=target)
        for threads in (1, 2, 3):
            y = output_of(across, tile, threads, target)
            np.testing.assert_array_equal(y, planes.transpose(1, 2, 0))
    np.testing.assert_allclose(planes, expected(w), rtol=1e-5, atol=1e-5)


def test_channels_of_others_stay_in_the_lanes_too() -> None:
    w = dataclasses.replace(
        DEPTHWISE, groups=12, first_channel=2, stored_channels=20, writes_channels=True
    )
    y = output_of(w, default_tile(w, AVX512), threads=2).transpose(2, 0, 1)
    assert np.isnan(np.delete(y, np.s_[2:14], axis=0)).all()
    np.testing.assert_allclose(y[2:14], expected(w), rtol=1e-5, atol=1e-5)


LEFT_ALONE = {
    "odd columns at stride 2": {"size": (14, 15), "stride": 2},
    "odd rows at stride 2": {"size": (15, 14), "stride": 2},
    "one column": {"size": (2, 2), "stride": 2},
    "another window": {"kernel": (5, 5), "padding": (2, 2)},
    "no border": {"padding": (0, 0)},
    "channels in the lanes": {"layout": "channels"},
    "several inputs": {"groups": 1, "outputs": 5, "inputs": 5},
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_other_convolutions_have_no_such_tile(name: str) -> None:
    w = dataclasses.replace(DEPTHWISE, **LEFT_ALONE[name])
    assert not can_convolve_rows(w)
    assert not list(tiles_in_registers(w, A72))


def test_x86_has_fewer_accumulators_and_no_row_of_part_of_a_vector() -> None:
    tile = default_tile(DEPTHWISE, AVX512)
    assert (tile.rows, tile.vectors, tile.lanes, tile.in_registers) == (7, 2, 8, True)
    tile = default_tile(dataclasses.replace(DEPTHWISE, size=(28, 28)), AVX2)
    assert (tile.rows, tile.vectors, tile.lanes, tile.in_registers) == (2, 2, 8, True)
    for core, most in ((AVX512, accumulator_budget(AVX512)), (AVX2, accumulator_budget(AVX2))):
        tiles = list(tiles_in_registers(DEPTHWISE, core))
        assert {tile.lanes for tile in tiles} == {8}
        assert 4 < max(tile.rows * tile.vectors for tile in tiles) <= most


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("size", "stride"),
    [((7, 7), 1), ((14, 14), 1), ((10, 33), 1), ((14, 14), 2), ((12, 40), 2), ((28, 66), 2)],
)
def test_both_layouts_give_the_same_bits_on_x86(
    size: tuple[int, int], stride: int, bias: bool
) -> None:
    """Which one it is may depend on how many threads there are."""
    w = dataclasses.replace(DEPTHWISE, size=size, stride=stride, bias=bias)
    in_channels = dataclasses.replace(w, layout="channels")
    x, weights, biases = operands_of(w)
    y = np.empty((*w.output_size, w.channels), np.float32)
    tile = window_channels_tiles.default_tile(in_channels, AVX512)
    packed = window_channels.pack_weights(weights, in_channels, tile)
    given = np.ascontiguousarray(x.transpose(1, 2, 0)), packed, *([biases] if bias else []), y
    tensors = [tvm.runtime.tensor(value) for value in given]
    kernel = window_channels.window_channels(in_channels, tile, 1)
    target = host_target().tvm  # with multiply-adds, which round once
    tvm.compile(kernel.with_attr("global_symbol", "main"), target=target)["main"](*tensors)
    of_planes = output_of(w, default_tile(w, AVX512), target=target)
    assert (of_planes == tensors[-1].numpy().transpose(2, 0, 1)).all()


def test_on_aarch64_no_channels_come_across() -> None:
    across = dataclasses.replace(DEPTHWISE, writes_channels=True)
    assert default_tile(DEPTHWISE, A72).in_registers
    assert not default_tile(across, A72).in_registers
    assert not list(tiles_in_registers(across, A72))


def test_a_core_of_another_kind_has_none() -> None:
    arm = dataclasses.replace(AVX2, isa="arm")
    assert not default_tile(DEPTHWISE, arm).in_registers
    assert not list(tiles_in_registers(DEPTHWISE, arm))
