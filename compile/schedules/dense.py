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

On an EPYC (Zen 3, AVX2, shared, 2026-11-26) 1000x960 takes 84 us alone and 100 to 150 at the end of
1x g3, whose weights and pictures (11 MB) its share of L3 does not hold from run to run. No faster
in the network: prefetching these weights from the grouped convolutions before (the layer gained 20
us and they lost as much), 1 to 8 KB ahead here, nor sums x vectors of 1 x 8, 1 x 12, 2 x 4, 3 x 4,
4 x 3, 6 x 2, 8 x 1 or 12 x 1 instead of 2 x 6. On a Zen 5 (2026-11-27) it takes 33 to 34 us there,
and 33 to 35 with its weights prefetched from the convolutions before: a loop that does nothing but
read as much from its L3 takes 30 to 31, by 1 to 6 streams, in huge pages or not, and no less than
29.5 with any prefetch.

So weights have 24 bits there (`dense_weights.py`): 25 to 28 us. In turns with 32 bits, 1x g3 takes
0.5 % less, 0.5x 1.1 %, MobileNet 0.4 %, AlexNet 8 %. Numbers of 3 bytes side by side, spread by a
shuffle, took 31 us where these take 26. On modelled A72 and N1, whose loops wait for instructions
and not for memory, 1000x960 takes 653 and 637 thousand cycles instead of 305 and 146: no 24 bits.
"""

from __future__ import annotations

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.dense_tiles import DenseTile, each_value, has_24_bits
from compile.schedules.dense_weights import (
    INPUT_UNIT,
    packed_shape,
    unit_of,
    vectors_of_words,
)
from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.global_pool import average, means_lie_across
from compile.schedules.maximum import rectified
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.precision import converted
from compile.schedules.spans import span


def dense(workload: DenseWorkload, tile: DenseTile, threads: int) -> tirx.PrimFunc:
    """The kernel: parameters X as `given_shape`, W as packed, B (M,), Y (M,).

    Several threads share the tiles, and the channels of the pool; no sum depends on how many.
    """
    m_tiles = len(tile_starts(workload.outputs, tile.width))
    packed = packed_shape(workload, tile)
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
            average(workload, tile, shared, x, means)
            x = means
        with shared(m_tiles) as m_tile:
            first = start_of(m_tile, tile.width, workload.outputs)
            acc = T.alloc_buffer(
                (tile.sums, tile.vectors, tile.lanes), workload.dtype, scope="local"
            )
            _start(workload, tile, first, acc, bias)
            _accumulate(workload, tile, m_tile, acc, x, weights)
            _finish(workload, tile, m_tile, acc, weights, bias, y)
    return builder.get().without_attr("global_symbol")


def _start(
    workload: DenseWorkload,
    tile: DenseTile,
    first: tirx.Expr,
    acc: tirx.Buffer,
    bias: tirx.Buffer,
) -> None:
    """The first sum starts with the bias, unless it is in units of the weights."""
    from_bias = 0 if has_24_bits(workload) else 1
    if from_bias:
        for vector, lane in each_value(tile):
            T.buffer_store(acc, bias[first + vector * tile.lanes + lane], [0, vector, lane])
    for part in range(from_bias, tile.sums):
        for vector, lane in each_value(tile):
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
        if has_24_bits(workload):
            _add_words(workload, tile, m_tile, k, value, acc, part, weights)
            return
        for vector, lane in each_value(tile):
            product = value * weights[m_tile, k, vector * tile.lanes + lane]
            T.buffer_store(acc, acc[part, vector, lane] + product, [part, vector, lane])

    share = workload.inputs // tile.sums
    if means_lie_across(workload, tile):
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


def _add_words(
    workload: DenseWorkload,
    tile: DenseTile,
    m_tile: tirx.Expr,
    k: tirx.Expr | int,
    value: tirx.Expr,
    acc: tirx.Buffer,
    part: tirx.Expr | int,
    weights: tirx.Buffer,
) -> None:
    """Adds the products of input `k` to sum `part`; those of a pool are in `INPUT_UNIT`s."""
    if workload.pixels == 1:
        value = value * tirx.const(INPUT_UNIT, workload.dtype)
    value = tirx.Broadcast(T.bind(value), tile.lanes)
    for vector, row in vectors_of_words(workload, tile, weights, m_tile, k):
        place = [part, vector, span(0, tile.lanes)]
        T.buffer_store(acc, acc[tuple(place)] + value * row, place)


def _finish(
    workload: DenseWorkload,
    tile: DenseTile,
    m_tile: tirx.Expr,
    acc: tirx.Buffer,
    weights: tirx.Buffer,
    bias: tirx.Buffer,
    y: tirx.Buffer,
) -> None:
    first = start_of(m_tile, tile.width, workload.outputs)
    for vector, lane in each_value(tile):
        value, *others = (
            converted(acc[part, vector, lane], workload.result_dtype) for part in range(tile.sums)
        )
        for other in others:
            value = value + other
        output = vector * tile.lanes + lane
        if has_24_bits(workload):
            unit = unit_of(workload, tile, weights, m_tile, output)
            value = bias[first + output] + value * unit
        value = rectified(value, maxnum=tile.maxnum) if workload.relu else value
        T.buffer_store(y, value, [first + output])
