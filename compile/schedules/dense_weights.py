"""Weights of a fully connected layer in memory: as they are, or as whole numbers of 24 bits.

Such a layer of one picture reads each weight once, to multiply it once, and takes as long as they
take to come. Three bytes of four bring the same sums:

    W[m, k] = N[m, k] * unit[m] / 2^23       |N[m, k]| < 2^23, unit[m] just above max_k |W[m, k]|

A weight is off by at most unit / 2^24, which is what float32 rounds the largest ones by, and zeros
stay zeros. Where none is far larger than most of its output (`may_have_24_bits`), that is about
what sums of some hundred products in float32 lose anyway. Four vectors of outputs lie in three:

    word[j] = 2^8 N[j] + byte j of N[3]      j = 0, 1, 2; its highest byte is the first

so that a mask makes 2^8 N of a word, and some shifts the fourth: whole vectors, no shuffles. Inputs
come in units of 2^-31, so that nothing overflows which floats do not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.dense_tiles import QUAD, DenseTile, has_24_bits
from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.overlap import tile_starts
from compile.schedules.spans import span
from deploy_rpc.cores import Core

WORDS = 3  # for QUAD weights
WORD, LOWEST_BYTE = "int32", (1 << 8) - 1
NUMBERS = 1 << 23  # positive ones, with zero
INPUT_UNIT = 2.0**-31  # a word is 2^31 where its weight is the unit
# Half of an output's weights, zeros left out, may be this much smaller than the largest. Gaussian
# ones of 1000 are 5 apart, those of a trained ShuffleNet 6 to 24.
MOST_APART = 32


def weight_bits(weights: np.ndarray, core: Core) -> int:
    """Of (M, K) `weights` in memory, for `core`: 24 where they are faster and lose no more."""
    pays = core.isa != "aarch64" and len(weights) >= QUAD * core.lanes
    return 24 if pays and may_have_24_bits(weights) else 32


def may_have_24_bits(weights: np.ndarray) -> bool:
    """Whether sums with (M, K) `weights` lose about as little by 24 bits as by float32."""
    if not np.isfinite(weights).all():
        return False
    sizes = np.abs(weights)
    small = (sizes > 0) & (sizes < sizes.max(axis=1, keepdims=True, initial=0) / MOST_APART)
    return bool((2 * small.sum(axis=1) <= np.count_nonzero(sizes, axis=1)).all())


def packed_shape(workload: DenseWorkload, tile: DenseTile) -> tuple[int, ...]:
    """Of the kernel's W: [m tile][k][output], or [m tile][words by k, units], all floats."""
    m_tiles = len(tile_starts(workload.outputs, tile.width))
    if has_24_bits(workload):
        return m_tiles, _row(workload, tile) + tile.width
    return m_tiles, workload.inputs, tile.width


def pack_weights(weights: np.ndarray, workload: DenseWorkload, tile: DenseTile) -> np.ndarray:
    """(M, K) in the order of use, as of `packed_shape`."""
    starts = tile_starts(workload.outputs, tile.width)
    of_tiles = (weights[start : start + tile.width] for start in starts)
    if has_24_bits(workload):
        return np.stack([_words(of_tile, tile) for of_tile in of_tiles])
    return np.stack([np.ascontiguousarray(of_tile.T) for of_tile in of_tiles])


def unpack_weights(packed: np.ndarray, workload: DenseWorkload, tile: DenseTile) -> np.ndarray:
    """(M, K) of what `pack_weights` gave; of 24 bits float32 values of the whole numbers."""
    weights = np.empty((workload.outputs, workload.inputs), packed.dtype)
    for start, of_tile in zip(tile_starts(workload.outputs, tile.width), packed, strict=True):
        values = _values(of_tile, workload, tile) if has_24_bits(workload) else of_tile.T
        weights[start : start + tile.width] = values
    return weights


def vectors_of_words(
    workload: DenseWorkload, tile: DenseTile, weights: tirx.Buffer, m_tile: tirx.Expr, k: tirx.Expr
) -> Iterator[tuple[int, tirx.Expr]]:
    """Each vector of a tile's outputs, and its weights of input `k`, times 2^31 / unit."""
    lanes = tile.lanes

    def every(value: int) -> tirx.Expr:
        return tirx.Broadcast(tirx.const(value, WORD), lanes)

    for first in range(0, tile.vectors, QUAD):
        begin = k * (tile.vectors // QUAD * WORDS * lanes) + first // QUAD * WORDS * lanes
        bits = [weights[m_tile, span(begin + n * lanes, lanes)] for n in range(WORDS)]
        words = [T.bind(tirx.reinterpret(f"{WORD}x{lanes}", each)) for each in bits]
        low = [word & every(LOWEST_BYTE) for word in words[1:]]
        last = words[0] << every(24) | low[0] << every(16) | low[1] << every(8)
        integers = [*(word & every(~LOWEST_BYTE) for word in words), last]
        for number, integer in enumerate(integers):
            yield first + number, tirx.Cast(f"float32x{lanes}", integer)


def unit_of(
    workload: DenseWorkload,
    tile: DenseTile,
    weights: tirx.Buffer,
    m_tile: tirx.Expr,
    output: tirx.Expr,
) -> tirx.Expr:
    """The unit of the weights of `output`, counted within the tile."""
    return weights[m_tile, _row(workload, tile) + output]


def _row(workload: DenseWorkload, tile: DenseTile) -> int:
    """Words of a tile."""
    return workload.inputs * tile.width // QUAD * WORDS


def _words(weights: np.ndarray, tile: DenseTile) -> np.ndarray:
    """Of a tile's (outputs, K) `weights`, as the bits of floats, and their units."""
    largest = np.abs(weights).max(axis=1, initial=0).astype(np.float64)
    units = np.where(largest > 0, largest / (1 - 1 / NUMBERS), 1).astype(np.float32)
    scaled = weights / units[:, np.newaxis].astype(np.float64) * NUMBERS
    numbers = np.clip(np.rint(scaled), 1 - NUMBERS, NUMBERS - 1).astype(WORD)
    of_quads = numbers.T.reshape(-1, tile.vectors // QUAD, QUAD, tile.lanes)
    first, last = of_quads[:, :, :WORDS], of_quads[:, :, WORDS:]
    words = first << 8 | last >> _places(16) & LOWEST_BYTE
    return np.concatenate([words.reshape(-1).view(np.float32), units])


def _values(packed: np.ndarray, workload: DenseWorkload, tile: DenseTile) -> np.ndarray:
    """(outputs, K) of a tile's words."""
    row = _row(workload, tile)
    words = packed[:row].view(WORD).reshape(workload.inputs, -1, WORDS, tile.lanes)
    last = np.bitwise_or.reduce((words & LOWEST_BYTE) << _places(24), axis=2, keepdims=True)
    numbers = np.concatenate([words, last], axis=2) >> 8
    values = numbers.reshape(workload.inputs, -1).T / NUMBERS * packed[row:, np.newaxis]
    return values.astype(np.float32)


def _places(highest: int) -> np.ndarray:
    """Shifts of the bytes of a number, from its highest one on."""
    return (highest - 8 * np.arange(WORDS, dtype=WORD)).astype(WORD).reshape(-1, 1)
