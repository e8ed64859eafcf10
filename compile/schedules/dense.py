"""Fully connected layer of one picture, a matrix times a vector, with a global average pool before.

    y[m] = relu(B[m] + sum_k W[m, k] * x[k])             x[k] = given, or mean over pixels of X

Outputs are in the lanes, so nothing is summed across a vector, and the weights are packed in the
order of use: each is read once, in one stream. The loop nest:

    for k: means[k] = sum_pixels X[k, pixel] / pixels    # with a pool only
    for m_tile:
      acc[sums, vectors] = B, 0, 0..                     # in registers; see below for 24 bits
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

So weights have 24 bits with AVX-512, and with AVX2 where they come from memory (`dense_words.py`):
25 to 28 us. In turns with 32 bits, 1x g3 takes 0.5 % less, 0.5x 1.1 %, MobileNet 0.4 %, AlexNet 8
to 10 %. Numbers of 3 bytes side by side, spread by a shuffle, took 31 us where these take 26. On
modelled A72 and N1, whose loops wait for instructions and not for memory, 1000x960 takes 653 and
637 thousand cycles instead of 305 and 146.
"""

from __future__ import annotations

import functools

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.dense_of_tile import DenseOfTile
from compile.schedules.dense_tiles import DenseTile, has_24_bits
from compile.schedules.dense_words import pack_words, packed_size, scale_of_input, unpack_words
from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.global_pool import Loop, average
from compile.schedules.overlap import tile_starts
from compile.schedules.spans import span


def pack_weights(weights: np.ndarray, workload: DenseWorkload, tile: DenseTile) -> np.ndarray:
    """(M, K) to [m tile][k][output], in the order of use, or of 24 bits as `pack_words`."""
    if has_24_bits(workload):
        return pack_words(weights, workload, tile)
    starts = tile_starts(workload.outputs, tile.width)
    return np.stack([np.ascontiguousarray(weights[s : s + tile.width].T) for s in starts])


def unpack_weights(
    packed: np.ndarray, workload: DenseWorkload, tile: DenseTile
) -> np.ndarray | None:
    """(M, K) of words; None of floats, which are in another order only."""
    return unpack_words(packed, workload, tile) if has_24_bits(workload) else None


def dense(workload: DenseWorkload, tile: DenseTile, threads: int) -> tirx.PrimFunc:
    """The kernel: parameters X as `given_shape`, W as packed, B (M,), Y (M,).

    Several threads share the tiles, and the channels of the pool; no sum depends on how many.
    """
    m_tiles = len(tile_starts(workload.outputs, tile.width))
    shared = T.parallel if threads > 1 else T.serial
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("dense")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg("X", T.Buffer(workload.given_shape, workload.dtype))
        weights = T.arg("W", T.Buffer(_packed_shape(workload, tile), workload.dtype))
        bias = T.arg("B", T.Buffer((workload.outputs,), workload.dtype))
        y = T.arg("Y", T.Buffer((workload.outputs,), workload.result_dtype))
        if workload.pixels > 1 or has_24_bits(workload):
            given, x = x, T.alloc_buffer((workload.inputs,), workload.dtype)
            _prepare(workload, tile, shared, given, weights, x)
        with shared(m_tiles) as m_tile:
            DenseOfTile(workload, tile, m_tile, x, weights, bias, y).make()
    return builder.get().without_attr("global_symbol")


def _packed_shape(workload: DenseWorkload, tile: DenseTile) -> tuple[int, ...]:
    if has_24_bits(workload):
        return (packed_size(workload, tile),)
    return len(tile_starts(workload.outputs, tile.width)), workload.inputs, tile.width


def _prepare(
    workload: DenseWorkload,
    tile: DenseTile,
    shared: Loop,
    given: tirx.Buffer,
    weights: tirx.Buffer,
    x: tirx.Buffer,
) -> None:
    """Stores in `x` what is given, or its means, as weights are to be multiplied by it."""
    scales = None
    if has_24_bits(workload):
        scales = functools.partial(scale_of_input, workload, tile, weights)
    if workload.pixels > 1:
        average(workload, tile, shared, given, x, scales)
        return
    width = tile.lanes if workload.inputs % tile.lanes == 0 else 1
    with shared(workload.inputs // width) as part:
        place = span(part * width, width)
        T.buffer_store(x, given[place] * scales(place), [place])
