"""Grouped 1x1 convolution of int8 over planes, requantised, with shortcut and shuffle inside.

    Y[store(g*M + m), n] = int8 of sum_k W[g, m, k] * X[load(g*K + k), n] + B[g*M + m], + R

Shuffles and shortcut are as in `pointwise`. The nest:

    for n_tile: for g:                                       # or g outside
      packed[k / depth, n, k % depth] = X[load(g*K + k), n_tile + n]
      for m_tile: a tile of `int8_gemm`

A last tile of pixels begins earlier. Interleaving the inputs takes two instructions for each vector
of a step, once for all outputs of a group.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.int8_gemm import (
    Operands,
    Panel,
    multiply,
    packed_dtype,
    packed_shape,
)
from compile.schedules.int8_gemm import pack_weights as pack_gemm_weights
from compile.schedules.int8_tiles import Int8Tile, is_exact
from compile.schedules.int8_tiles import default_tile as default_gemm_tile
from compile.schedules.int8_workloads import Int8PointwiseWorkload
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.threads import MOST_UNEVEN, share_of, unevenness
from deploy_rpc.cores import Core

CHUNK = 16  # pixels that are interleaved at a time


def default_tile(workload: Int8PointwiseWorkload, core: Core) -> Int8Tile:
    """By the count of instructions."""
    return default_gemm_tile(workload.outputs, workload.inputs, workload.pixels, core)


def runs_in_place(workload: Int8PointwiseWorkload, tile: Int8Tile) -> bool:
    """Whether the shortcut may be the output itself: no value is then computed twice."""
    plain = workload.shuffle_rows == 1 and not workload.stored_channels
    return workload.shortcut and plain and is_exact(tile, workload.outputs, workload.pixels)


def pack_weights(
    weights: np.ndarray, workload: Int8PointwiseWorkload, tile: Int8Tile
) -> np.ndarray:
    """OIHW (groups * M, K, 1, 1) as `int8_gemm` reads them."""
    grouped = weights.reshape(workload.groups, workload.outputs, workload.inputs)
    return pack_gemm_weights(grouped, tile)


def int8_pointwise(workload: Int8PointwiseWorkload, tile: Int8Tile, threads: int) -> tirx.PrimFunc:
    """The kernel: parameters X int8, W as packed, B and M int32, [R int8], Y int8; planes.

    B and M, the multipliers, hold a value for each of groups * M channels. Threads share the tiles
    of pixels, or those of outputs where these are too few.
    """
    m_tiles = len(tile_starts(workload.outputs, tile.rows))
    steps, _ = packed_shape(tile, workload.inputs)
    channels = (workload.channels,)
    w_shape = (workload.groups, m_tiles, steps, tile.rows * tile.depth)
    own = (workload.channels, workload.pixels)
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("int8_pointwise")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg("X", T.Buffer((workload.groups * workload.inputs, workload.pixels), "int8"))
        weights = T.arg("W", T.Buffer(w_shape, "int8"))
        bias = T.arg("B", T.Buffer(channels, "int32"))
        multipliers = T.arg("M", T.Buffer(channels, "int32"))
        apart = workload.shortcut and not workload.in_place
        shortcut = T.arg("R", T.Buffer(own, "int8")) if apart else None
        y = T.arg("Y", T.Buffer(workload.output_shape, "int8"))
        added = y if workload.in_place else shortcut
        _compute(workload, tile, threads, x, Operands(weights, bias, multipliers, added, y))
    return builder.get().without_attr("global_symbol")


def _compute(
    workload: Int8PointwiseWorkload,
    tile: Int8Tile,
    threads: int,
    x: tirx.Buffer,
    operands: Operands,
) -> None:
    n_tiles = len(tile_starts(max(workload.pixels, tile.pixels), tile.pixels))
    m_tiles = int(operands.weights.shape[1])
    by_pixels = unevenness(n_tiles, threads) <= MOST_UNEVEN * unevenness(m_tiles, threads)
    with share_of(n_tiles if by_pixels else m_tiles, threads) as share:
        pixels, outputs = (share, (0, m_tiles)) if by_pixels else ((0, n_tiles), share)
        with _panels(tile, pixels, workload.groups) as (n_tile, group):
            first = start_of(n_tile, tile.pixels, max(workload.pixels, tile.pixels))
            count = min(tile.pixels, workload.pixels)
            packed = T.alloc_buffer(packed_shape(tile, workload.inputs), packed_dtype(tile))
            _pack(workload, tile, x, packed, group, first, count)

            def store_at(output: tirx.Expr) -> list[tirx.Expr]:
                return [workload.stored_channel(group * workload.outputs + output), first]

            def shortcut_at(output: tirx.Expr) -> list[tirx.Expr]:
                return [group * workload.outputs + output, first]

            panel = Panel(packed, group, count, store_at, shortcut_at)
            multiply(tile, workload.outputs, panel, operands, workload.ending, outputs)


@contextlib.contextmanager
def _panels(
    tile: Int8Tile, pixels: Sequence[int | tirx.Expr], groups: int
) -> Iterator[tuple[tirx.Expr, tirx.Expr]]:
    """The loops over tiles of `pixels` and groups, in the order of `tile`."""
    if tile.pixels_inner:
        with T.serial(groups) as group, T.serial(*pixels) as n_tile:
            yield n_tile, group
    else:
        with T.serial(*pixels) as n_tile, T.serial(groups) as group:
            yield n_tile, group


def _pack(
    workload: Int8PointwiseWorkload,
    tile: Int8Tile,
    x: tirx.Buffer,
    packed: tirx.Buffer,
    group: tirx.Expr,
    first: tirx.Expr,
    count: int,
) -> None:
    """The inputs of a panel, `depth` of each pixel side by side; inputs behind the last repeat it,
    where weights are 0.
    """

    def channel(step: tirx.Expr | int, part: int, *, last: bool) -> tirx.Expr:
        k = step * tile.depth + part
        k = min(k, workload.inputs - 1) if last else k
        return workload.loaded_channel(group * workload.inputs + k)

    whole, rest = divmod(workload.inputs, tile.depth)
    if whole:
        with T.serial(whole) as step:
            rows = [channel(step, part, last=False) for part in range(tile.depth)]
            interleave(tile, x, rows, first, count, packed, step)
    if rest:
        rows = [channel(whole, part, last=True) for part in range(tile.depth)]
        interleave(tile, x, rows, first, count, packed, whole)


def interleave(
    tile: Int8Tile,
    x: tirx.Buffer,
    rows: list[tirx.Expr],
    first: tirx.Expr,
    count: int,
    packed: tirx.Buffer,
    step: tirx.Expr | int,
) -> None:
    """`count` pixels of some rows of X, from `first` on, to packed[step], pixel by pixel."""
    depth, dtype = tile.depth, str(packed.dtype)
    if count < CHUNK:
        with T.serial(count) as pixel, T.unroll(depth) as part:
            row = rows[0] if depth == 1 else _selected(rows, part)
            value = tirx.Cast(dtype, x[row, first + pixel])
            T.buffer_store(packed, value, [step, pixel * depth + part])
        return
    for start in tile_starts(count, CHUNK):
        loaded = [
            tirx.Cast(f"{dtype}x{CHUNK}", x[row, T.Ramp(first + start, 1, CHUNK)]) for row in rows
        ]
        for index, value in enumerate(_interleaved([T.bind(each) for each in loaded])):
            at = (start + index * CHUNK // depth) * depth
            T.buffer_store(packed, value, [step, T.Ramp(at, 1, CHUNK)])


def _selected(rows: list[tirx.Expr], part: tirx.Expr) -> tirx.Expr:
    row = rows[-1]
    for index in reversed(range(len(rows) - 1)):
        row = tirx.Select(part == index, rows[index], row)
    return row


def _interleaved(vectors: list[tirx.Expr]) -> list[tirx.Expr]:
    """Of 1, 2 or 4 vectors the first values of all, the second ones of all, and so on."""
    if len(vectors) == 1:
        return vectors
    half = len(vectors) // 2
    together = [_zipped(a, b) for a, b in zip(vectors[:half], vectors[half:], strict=True)]
    if len(vectors) == 2:
        return list(together[0])
    # 0 with 2 and 1 with 3 by single values: then those pairs, by single values again
    low = _zipped(together[0][0], together[1][0])
    high = _zipped(together[0][1], together[1][1])
    return [*low, *high]


def _zipped(a: tirx.Expr, b: tirx.Expr) -> tuple[tirx.Expr, tirx.Expr]:
    """The values of two vectors in turns, in two vectors."""
    order = [lane for i in range(CHUNK) for lane in (i, CHUNK + i)]
    return tuple(T.bind(tirx.Shuffle([a, b], order[start : start + CHUNK])) for start in (0, CHUNK))
