"""The global average pool before a fully connected layer: the mean of each channel's pixels."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.dense_tiles import HALF, DenseTile, each_value
from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.precision import converted

SUM_DTYPE = "float32"  # of the mean
POOL_VECTORS = 4  # vectors of channels that are averaged at a time: sums that do not wait
Loop = Callable[..., AbstractContextManager]  # T.serial or T.parallel
Scales = Callable[[tirx.Expr], tirx.Expr]  # by channel


def average(
    workload: DenseWorkload,
    tile: DenseTile,
    shared: Loop,
    x: tirx.Buffer,
    means: tirx.Buffer,
    scales: Scales | None = None,
) -> None:
    """Stores the mean of each channel of X in `means`, in the order in which `tile` reads them.

    With `scales` each is multiplied by its channel's.
    """
    of_layout = _average_planes if workload.layout == "planes" else _average_channels
    of_layout(workload, tile, shared, x, means, scales)


def means_lie_across(workload: DenseWorkload, tile: DenseTile) -> bool:
    """Whether the means that are the k-th inputs of all sums lie side by side, in one vector."""
    whole = tile.sums == tile.lanes and workload.inputs % tile.sums == 0
    planes = workload.pixels > 1 and workload.layout == "planes"
    return workload.dtype == HALF and planes and whole


def _average_planes(
    workload: DenseWorkload,
    tile: DenseTile,
    shared: Loop,
    x: tirx.Buffer,
    means: tirx.Buffer,
    scales: Scales | None,
) -> None:
    """Pixels in the lanes; the vector of sums is halved until one is left, then come the rest."""
    lanes = min(tile.lanes, 1 << (workload.pixels.bit_length() - 1))
    vectors = workload.pixels // lanes
    share = workload.inputs // tile.sums
    with shared(workload.inputs) as k:
        total = T.alloc_buffer((lanes,), SUM_DTYPE, scope="local")
        add_up = _add_half_vectors if workload.dtype == HALF else _add_vectors
        scale = add_up(x, k, vectors, total)
        half = lanes // 2
        while half:
            with T.vectorized(half) as lane:
                T.buffer_store(total, total[lane] + total[lane + half], [lane])
            half //= 2
        with T.serial(vectors * lanes, workload.pixels) as pixel:
            value = converted(x[k, pixel], SUM_DTYPE)
            T.buffer_store(total, total[0] + value * tirx.const(scale, SUM_DTYPE), [0])
        mean = total[0] * tirx.const(1 / (scale * workload.pixels), SUM_DTYPE)
        mean = mean * scales(k) if scales else mean
        place = k % share * tile.sums + k // share if means_lie_across(workload, tile) else k
        T.buffer_store(means, converted(mean, workload.dtype), [place])


def _average_channels(
    workload: DenseWorkload,
    tile: DenseTile,
    shared: Loop,
    x: tirx.Buffer,
    means: tirx.Buffer,
    scales: Scales | None,
) -> None:
    """Channels in the lanes."""
    lanes = min(tile.lanes, 1 << (workload.inputs.bit_length() - 1))
    tile = DenseTile(1, min(POOL_VECTORS, workload.inputs // lanes), lanes)
    with shared(len(tile_starts(workload.inputs, tile.width))) as index:
        first = start_of(index, tile.width, workload.inputs)
        total = T.alloc_buffer((tile.vectors, lanes), SUM_DTYPE, scope="local")
        for vector, lane in each_value(tile):
            T.buffer_store(total, tirx.const(0, SUM_DTYPE), [vector, lane])
        with T.serial(workload.pixels) as pixel:
            for vector, lane in each_value(tile):
                value = converted(x[pixel, first + vector * lanes + lane], SUM_DTYPE)
                T.buffer_store(total, total[vector, lane] + value, [vector, lane])
        for vector, lane in each_value(tile):
            channel = first + vector * lanes + lane
            mean = total[vector, lane] * tirx.const(1 / workload.pixels, SUM_DTYPE)
            mean = mean * scales(channel) if scales else mean
            T.buffer_store(means, converted(mean, workload.dtype), [channel])


def _add_vectors(x: tirx.Buffer, k: tirx.Expr, vectors: int, total: tirx.Buffer) -> float:
    """Adds whole vectors of channel `k` into `total`; returns what of them is there."""
    lanes = int(total.shape[0])
    with T.vectorized(lanes) as lane:
        T.buffer_store(total, x[k, lane], [lane])
    with T.serial(1, vectors) as vector, T.vectorized(lanes) as lane:
        T.buffer_store(total, total[lane] + x[k, vector * lanes + lane], [lane])
    return 1.0


def _add_half_vectors(x: tirx.Buffer, k: tirx.Expr, vectors: int, total: tirx.Buffer) -> float:
    """The same in float16, of so small a share that no sum overflows; only the end is converted.

    6 vectors of 8 lose less than the mean's own rounding; converted one by one they take 27 instead
    of 16 thousand modelled cycles of 960 channels of 49 pixels on N1 (2026-11-25).
    """
    lanes, scale = int(total.shape[0]), 2.0 ** -(vectors - 1).bit_length()
    sums = T.alloc_buffer((lanes,), HALF, scope="local")
    share = tirx.const(scale, HALF)
    with T.vectorized(lanes) as lane:
        T.buffer_store(sums, x[k, lane] * share, [lane])
    with T.serial(1, vectors) as vector, T.vectorized(lanes) as lane:
        T.buffer_store(sums, sums[lane] + x[k, vector * lanes + lane] * share, [lane])
    with T.vectorized(lanes) as lane:
        T.buffer_store(total, converted(sums[lane], SUM_DTYPE), [lane])
    return scale
