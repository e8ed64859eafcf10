"""Weights of a fully connected layer as whole numbers of 24 bits, which come in 3/4 of the time.

Such a layer of one picture reads each weight once, to multiply it once, and takes as long as they
take to come from memory. Three bytes of four bring nearly the same sums:

    W[m, k] = N[m, k] / 2^23 * unit[m] * 2^e[k]        |N[m, k]| < 2^23

where 2^e[k] is the usual size of the weights of input k, and unit[m] the largest of output m that
this leaves. Input k is multiplied by 2^e[k], once for all outputs, so that inputs of large values
and small weights count as they do; zeros stay zeros. Where half of what is left of an output is not
far below its unit (`may_be_words`), sums are off by 1.1 to 1.3 times what float32 loses for
Gaussian weights, by 1.3 to 1.5 for those of a trained ShuffleNet, and by up to 4 where one weight
of an output is 15 to 30 times the usual one.

Four vectors of outputs lie in three of words:

    word[j] = 2^8 N[j] + byte j of N[3]      j = 0, 1, 2; its highest byte is the first

so that a mask makes 2^8 N of a word, and some shifts the fourth: whole vectors, no shuffles. Inputs
are as exact as in float32 where they come to 1e-30 to 1e30 with the usual weight of theirs. A
weight so small that its number is 0 makes NaN of an infinite input, as zero does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.dense_tiles import QUAD, DenseTile
from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.overlap import tile_starts
from compile.schedules.spans import Index, span
from deploy_rpc.cores import Core

WORDS = 3  # for QUAD weights
WORD, LOWEST_BYTE = "int32", (1 << 8) - 1
NUMBERS = 1 << 23  # positive ones, with zero
SUM_UNIT = 2.0**15  # a word is 2^31 where its weight is the unit
INPUT_UNIT = 2.0**-16
# Half of an output's weights, zeros left out, may be this much below its unit: Gaussian ones of
# 1000 are 4 to 7 below, those of a trained ShuffleNet 5 to 24.
MOST_BELOW = 32
# Bytes of floats that come as fast as words become weights, by bits of a vector. With AVX2 1x g3,
# whose head comes from L3, takes the same time with 24 bits, AlexNet, most of whose weights come
# from memory, 0.95; with SSE 0.5x takes 1.01 (one thread of an EPYC, Zen 5, shared, 2026-11-27).
NEAR = {512: 0, 256: 16 << 20}
SMALLEST, LARGEST = 1e-15, 1e15  # of weights: no quotient of two is a denormal number, or infinite


def weight_bits(weights: np.ndarray, core: Core) -> int:
    """Of (M, K) `weights` in memory, for `core`: 24 where they are faster and lose little."""
    near = NEAR.get(core.vector_bits, math.inf)
    pays = core.isa == "x86_64" and weights.nbytes > near
    fills = len(weights) >= QUAD * core.lanes
    return 24 if pays and fills and may_be_words(weights) else 32


def may_be_words(weights: np.ndarray) -> bool:
    """Whether sums with (M, K) `weights` lose about as little by 24 bits as by float32."""
    sizes = np.abs(weights)
    if not ((sizes == 0) | (sizes >= SMALLEST) & (sizes <= LARGEST)).all():  # nor is NaN
        return False
    sizes = np.ldexp(sizes, -_exponents(weights))
    below = (sizes > 0) & (MOST_BELOW * sizes < sizes.max(axis=1, keepdims=True))
    return bool((2 * below.sum(axis=1) <= np.count_nonzero(sizes, axis=1)).all())


def packed_size(workload: DenseWorkload, tile: DenseTile) -> int:
    """Values of the kernel's W, all kept as floats: of each tile the words by k, then its units;
    and behind the tiles what inputs are multiplied by.
    """
    return _tiles(workload, tile) * _of_tile(workload, tile) + workload.inputs


def pack_words(weights: np.ndarray, workload: DenseWorkload, tile: DenseTile) -> np.ndarray:
    """(M, K) in the order of use, as of `packed_size`."""
    exponents = _exponents(weights)
    starts = tile_starts(workload.outputs, tile.width)
    of_tiles = (np.ldexp(weights[start : start + tile.width], -exponents) for start in starts)
    words = [_words(of_tile, tile) for of_tile in of_tiles]
    return np.concatenate([*words, np.ldexp(np.float32(INPUT_UNIT), exponents)])


def unpack_words(packed: np.ndarray, workload: DenseWorkload, tile: DenseTile) -> np.ndarray:
    """(M, K), the values of the whole numbers, of what `pack_words` gave."""
    weights = np.empty((workload.outputs, workload.inputs), np.float32)
    scales = packed[-workload.inputs :] / np.float32(INPUT_UNIT)
    starts = tile_starts(workload.outputs, tile.width)
    of_tiles = packed[: -workload.inputs].reshape(len(starts), -1)
    for start, of_tile in zip(starts, of_tiles, strict=True):
        weights[start : start + tile.width] = _values(of_tile, workload, tile) * scales
    return weights


def scale_of_input(
    workload: DenseWorkload, tile: DenseTile, weights: tirx.Buffer, k: Index
) -> tirx.Expr:
    """What input `k`, or each of a vector of them, is multiplied by before words are by it."""
    return weights[_tiles(workload, tile) * _of_tile(workload, tile) + k]


def vectors_of_words(
    workload: DenseWorkload, tile: DenseTile, weights: tirx.Buffer, m_tile: tirx.Expr, k: Index
) -> Iterator[tuple[int, tirx.Expr]]:
    """Each vector of a tile's outputs, and 2^8 N of it and input `k`."""
    lanes = tile.lanes
    of_k = tile.vectors // QUAD * WORDS * lanes

    def every(value: int) -> tirx.Expr:
        return tirx.Broadcast(tirx.const(value, WORD), lanes)

    for quad in range(tile.vectors // QUAD):
        begin = m_tile * _of_tile(workload, tile) + k * of_k + quad * WORDS * lanes
        bits = [weights[span(begin + n * lanes, lanes)] for n in range(WORDS)]
        words = [T.bind(tirx.reinterpret(f"{WORD}x{lanes}", each)) for each in bits]
        low = [word & every(LOWEST_BYTE) for word in words]
        last = low[0] << every(24) | low[1] << every(16) | low[2] << every(8)
        for n, integer in enumerate([*(word & every(~LOWEST_BYTE) for word in words), last]):
            yield quad * QUAD + n, tirx.Cast(f"float32x{lanes}", integer)


def unit_of(
    workload: DenseWorkload,
    tile: DenseTile,
    weights: tirx.Buffer,
    m_tile: tirx.Expr,
    output: tirx.Expr,
) -> tirx.Expr:
    """What the sums of `output`, counted within the tile, are multiplied by."""
    row = _of_tile(workload, tile)
    return weights[m_tile * row + (row - tile.width) + output]


def _tiles(workload: DenseWorkload, tile: DenseTile) -> int:
    return len(tile_starts(workload.outputs, tile.width))


def _of_tile(workload: DenseWorkload, tile: DenseTile) -> int:
    """Words and units."""
    return workload.inputs * tile.width // QUAD * WORDS + tile.width


def _exponents(weights: np.ndarray) -> np.ndarray:
    """e[k] of (M, K) `weights`: the mean of theirs, zeros left out, which one large one leaves."""
    there = weights != 0
    total = np.frexp(weights)[1].sum(axis=0, where=there)
    return np.rint(total / np.maximum(there.sum(axis=0), 1)).astype(int)


def _words(weights: np.ndarray, tile: DenseTile) -> np.ndarray:
    """Of a tile's (outputs, K) `weights`, and their units."""
    largest = np.abs(weights).max(axis=1)
    units = np.where(largest > 0, largest / np.float32(1 - 1 / NUMBERS), np.float32(1))
    scaled = weights / units[:, np.newaxis].astype(np.float64) * NUMBERS
    numbers = np.clip(np.rint(scaled), 1 - NUMBERS, NUMBERS - 1).astype(WORD)
    of_quads = numbers.T.reshape(-1, tile.vectors // QUAD, QUAD, tile.lanes)
    first, last = of_quads[:, :, :WORDS], of_quads[:, :, WORDS:]
    words = first << 8 | last >> _places(16) & LOWEST_BYTE
    return np.concatenate([words.reshape(-1).view(np.float32), units / np.float32(SUM_UNIT)])


def _values(packed: np.ndarray, workload: DenseWorkload, tile: DenseTile) -> np.ndarray:
    """(outputs, K) of a tile's words, in its units."""
    words = packed[: -tile.width].view(WORD).reshape(workload.inputs, -1, WORDS, tile.lanes)
    last = np.bitwise_or.reduce((words & LOWEST_BYTE) << _places(24), axis=2, keepdims=True)
    numbers = np.concatenate([words, last], axis=2) >> 8
    units = packed[-tile.width :, np.newaxis].astype(np.float64) * SUM_UNIT
    return numbers.reshape(workload.inputs, -1).T / NUMBERS * units


def _places(highest: int) -> np.ndarray:
    """Shifts of the bytes of a number, from its highest one on."""
    return (highest - 8 * np.arange(WORDS, dtype=WORD)).astype(WORD).reshape(-1, 1)
