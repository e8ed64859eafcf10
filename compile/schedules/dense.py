"""Fully connected layer of one picture, a matrix times a vector, with a global average pool before.

    y[m] = relu(B[m] + sum_k W[m, k] * x[k])             x[k] = given, or mean over pixels of X

Outputs are in the lanes, so nothing is summed across a vector, and the weights are packed in the
order of use: each is read once, in one stream. The loop nest:

    for k: means[k] = sum_pixels X[k, pixel] / pixels    # with a pool only
    for m_tile:
      acc[sums, vectors] = B, 0, 0..                     # in registers
      for k in a share of K: for s (unrolled): acc[s, vectors] += W[m_tile, k + s*share] * x[..]
      Y[..] = max(acc[0] + acc[1] + .., 0)

Each of `sums` partial sums takes a share of K that lies together: they hide the FMAs' latency,
and read the weights as so many streams, which is what memory is fast at. M need be no multiple of
the tile: the last tile begins earlier. relu and pool are optional.

In float16 on AArch64, where FMLA takes an input from a lane, the means lie in the order
x[k in share][share], so that one load brings an input for each of the sums.

Weights read, one thread of an AVX-512 Xeon, shared, 2026-11-23: 4096x9216 from DRAM 18.0 GB/s (one
stream, sums of neighbouring k: 14.7), 1000x960 from L3 28.8 GB/s. Prefetching 1 to 16 KB ahead was
no faster in either.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.layouts import Layout, matrix_shape
from compile.schedules.maximum import has_maxnum, rectified
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.precision import converted
from compile.schedules.registers import accumulator_budget
from deploy_rpc.cores import Core, Dtype

SUM_DTYPE = "float32"  # of the mean
MAX_WIDTH = 64  # outputs of a tile: threads are to find enough tiles
INPUT_LOADS = 0.5  # of a row: an input is broadcast beside the weights
SUMS = range(2, 9)  # streams that the caches fetch ahead of
HALF_ACCUMULATORS = 24  # 8 x 3 take 84 thousand modelled cycles for 960 means on N1, 8 x 2 86
HALF = "float16"
MOST_HALF_STEPS = 128  # products in a sum of float16: longer ones lose more to rounding
POOL_VECTORS = 4  # vectors of channels that are averaged at a time: sums that do not wait

Loop = Callable[..., AbstractContextManager]  # T.serial or T.parallel


@dataclass(frozen=True)
class DenseWorkload:
    """M outputs from K inputs.

    `pixels` is how many each input is the mean of, 1 without a pool; `layout` is of what is given
    then: "planes" (K, pixels) or "channels" (pixels, K).
    """

    outputs: int
    inputs: int
    relu: bool
    pixels: int = 1
    layout: Layout = "planes"
    dtype: Dtype = "float32"
    result_dtype: Dtype = "float32"

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one call; the pool has none."""
        return self.outputs * self.inputs

    @property
    def output_layout(self) -> Layout:
        """Of what comes out, which is a vector."""
        return "planes"

    @property
    def given_shape(self) -> tuple[int, ...]:
        """Of what the kernel reads."""
        if self.pixels == 1:
            return (self.inputs,)
        return matrix_shape(self.layout, self.inputs, self.pixels)


@dataclass(frozen=True)
class DenseTile:
    """The decisions: accumulators are `sums` x `vectors` vectors of `lanes` outputs."""

    sums: int
    vectors: int
    lanes: int
    maxnum: bool = False

    @property
    def width(self) -> int:
        """Outputs of a tile."""
        return self.vectors * self.lanes


def default_tile(workload: DenseWorkload, core: Core) -> DenseTile:
    """The tile with the least loads, of those the one with most accumulators."""

    def cost(tile: DenseTile) -> tuple[float, int]:
        """Loads of weights, and of one input for each row of them."""
        m_tiles = -(-workload.outputs // tile.width)
        return m_tiles * (tile.vectors + INPUT_LOADS), -tile.sums * tile.vectors

    return min(fitting_tiles(workload, core), key=cost)


def fitting_tiles(workload: DenseWorkload, core: Core) -> list[DenseTile]:
    """The tiles whose accumulators fit the registers."""
    lanes = min(core.lanes, 1 << (workload.outputs.bit_length() - 1))
    vectors = range(1, min(MAX_WIDTH, workload.outputs) // lanes + 1)
    sums = [count for count in SUMS if count <= workload.inputs] or [1]
    budget = accumulator_budget(core)
    if workload.dtype == HALF:
        budget = HALF_ACCUMULATORS
        sums = [n for n in sums if workload.inputs <= n * MOST_HALF_STEPS] or sums[-1:]
    return [
        DenseTile(*shape, lanes, has_maxnum(core))
        for shape in itertools.product(sums, vectors)
        if math.prod(shape) <= budget
    ]


def pack_weights(weights: np.ndarray, workload: DenseWorkload, tile: DenseTile) -> np.ndarray:
    """(M, K) to [m tile][k][output], in the order of use."""
    starts = tile_starts(workload.outputs, tile.width)
    return np.stack([np.ascontiguousarray(weights[s : s + tile.width].T) for s in starts])


def dense(workload: DenseWorkload, tile: DenseTile, threads: int) -> tirx.PrimFunc:
    """The kernel: parameters X as `given_shape`, W as packed, B (M,), Y (M,).

    Several threads share the tiles, and the channels of the pool; no sum depends on how many.
    """
    m_tiles = len(tile_starts(workload.outputs, tile.width))
    packed = (m_tiles, workload.inputs, tile.width)
    shared = T.parallel if threads > 1 else T.serial
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("dense")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg("X", T.Buffer(workload.given_shape, workload.dtype))
        weights = T.arg("W", T.Buffer(packed, workload.dtype))
        bias = T.arg("B", T.Buffer((workload.outputs,), workload.dtype))
        y = T.arg("Y", T.Buffer((workload.outputs,), workload.result_dtype))
        if workload.pixels > 1:
            means = T.alloc_buffer((workload.inputs,), workload.dtype)
            average = _average_planes if workload.layout == "planes" else _average_channels
            average(workload, tile, shared, x, means)
            x = means
        with shared(m_tiles) as m_tile:
            first = start_of(m_tile, tile.width, workload.outputs)
            acc = T.alloc_buffer(
                (tile.sums, tile.vectors, tile.lanes), workload.dtype, scope="local"
            )
            _start(tile, first, acc, bias)
            _accumulate(workload, tile, m_tile, acc, x, weights)
            _finish(workload, tile, first, acc, y)
    return builder.get().without_attr("global_symbol")


def _start(tile: DenseTile, first: tirx.Expr, acc: tirx.Buffer, bias: tirx.Buffer) -> None:
    for vector, lane in _each_value(tile):
        T.buffer_store(acc, bias[first + vector * tile.lanes + lane], [0, vector, lane])
    for part in range(1, tile.sums):
        for vector, lane in _each_value(tile):
            T.buffer_store(acc, tirx.const(0, str(acc.dtype)), [part, vector, lane])


def _accumulate(
    workload: DenseWorkload,
    tile: DenseTile,
    m_tile: tirx.Expr,
    acc: tirx.Buffer,
    x: tirx.Buffer,
    weights: tirx.Buffer,
) -> None:
    """What K leaves over when divided by `sums` goes to the first of them, at the end."""

    def step(part: tirx.Expr | int, k: tirx.Expr | int, value: tirx.Expr) -> None:
        for vector, lane in _each_value(tile):
            product = value * weights[m_tile, k, vector * tile.lanes + lane]
            T.buffer_store(acc, acc[part, vector, lane] + product, [part, vector, lane])

    share = workload.inputs // tile.sums
    if _means_lie_across(workload, tile):
        with T.serial(share) as k:
            together = T.alloc_buffer((tile.sums,), workload.dtype)
            every = T.Ramp(0, 1, tile.sums)
            T.buffer_store(together, x[T.Ramp(k * tile.sums, 1, tile.sums)], [every])
            for part in range(tile.sums):
                step(part, part * share + k, together[part])
        return
    with T.serial(share) as k, T.unroll(tile.sums) as part:
        step(part, part * share + k, x[part * share + k])
    for k in range(share * tile.sums, workload.inputs):
        step(0, k, x[k])


def _means_lie_across(workload: DenseWorkload, tile: DenseTile) -> bool:
    """Whether the means that are the k-th inputs of all sums lie side by side, in one vector."""
    whole = tile.sums == tile.lanes and workload.inputs % tile.sums == 0
    planes = workload.pixels > 1 and workload.layout == "planes"
    return workload.dtype == HALF and planes and whole


def _finish(
    workload: DenseWorkload,
    tile: DenseTile,
    first: tirx.Expr,
    acc: tirx.Buffer,
    y: tirx.Buffer,
) -> None:
    for vector, lane in _each_value(tile):
        value, *others = (
            converted(acc[part, vector, lane], workload.result_dtype) for part in range(tile.sums)
        )
        for other in others:
            value = value + other
        value = rectified(value, maxnum=tile.maxnum) if workload.relu else value
        T.buffer_store(y, value, [first + vector * tile.lanes + lane])


def _each_value(tile: DenseTile) -> Iterator[tuple[tirx.Expr, tirx.Expr]]:
    """The loops over one partial sum's accumulators; the body runs once, inside them."""
    with T.unroll(tile.vectors) as vector, T.vectorized(tile.lanes) as lane:
        yield vector, lane


def _average_planes(
    workload: DenseWorkload, tile: DenseTile, shared: Loop, x: tirx.Buffer, means: tirx.Buffer
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
        place = k % share * tile.sums + k // share if _means_lie_across(workload, tile) else k
        T.buffer_store(means, converted(mean, workload.dtype), [place])


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


def _average_channels(
    workload: DenseWorkload, tile: DenseTile, shared: Loop, x: tirx.Buffer, means: tirx.Buffer
) -> None:
    """Channels in the lanes."""
    lanes = min(tile.lanes, 1 << (workload.inputs.bit_length() - 1))
    tile = DenseTile(1, min(POOL_VECTORS, workload.inputs // lanes), lanes)
    with shared(len(tile_starts(workload.inputs, tile.width))) as index:
        first = start_of(index, tile.width, workload.inputs)
        total = T.alloc_buffer((tile.vectors, lanes), SUM_DTYPE, scope="local")
        for vector, lane in _each_value(tile):
            T.buffer_store(total, tirx.const(0, SUM_DTYPE), [vector, lane])
        with T.serial(workload.pixels) as pixel:
            for vector, lane in _each_value(tile):
                value = converted(x[pixel, first + vector * lanes + lane], SUM_DTYPE)
                T.buffer_store(total, total[vector, lane] + value, [vector, lane])
        for vector, lane in _each_value(tile):
            mean = total[vector, lane] * tirx.const(1 / workload.pixels, SUM_DTYPE)
            T.buffer_store(means, converted(mean, workload.dtype), [first + vector * lanes + lane])
