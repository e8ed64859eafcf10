"""The convolution that reads the float32 picture: the picture made int8, then products of int8.

    P = int8 of round(X * picture_scale) + zero, in a border of zero       # a scratch
    for row: for n_tile of the row:
      packed[(c, i, j / depth), x, j % depth] = P[c, s*row + i, s*x + j]
      for m_tile: a tile of `int8_gemm`

Taps of a row beyond the kernel's have weights of 0.
"""

from __future__ import annotations

from collections.abc import Iterator

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
from compile.schedules.int8_lanes import (
    DEPTHS,
    Dots,
    dots_of,
    sum_lanes,
    windows_of,
)
from compile.schedules.int8_rounding import rounded
from compile.schedules.int8_tiles import Int8Tile, space_of_tiles
from compile.schedules.int8_tiles import default_tile as default_gemm_tile
from compile.schedules.int8_workloads import Int8WindowWorkload
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.spans import fill, row_pieces, span
from compile.schedules.threads import share_of
from deploy_rpc.cores import Core

LOAD = 16  # bytes of one load of P
MOST_VECTORS = 8  # on N1 4 rows by 7 vectors take 711 thousand cycles of 1x g3's, 2 by 14 743


def default_tile(workload: Int8WindowWorkload, core: Core) -> Int8Tile:
    """By the count of instructions, of a row of outputs."""
    depth = DEPTHS[dots_of(core)]
    inputs = _inputs(workload, depth)
    columns = workload.output_size[1]
    return default_gemm_tile(workload.outputs, inputs, columns, core, MOST_VECTORS)


def fitting_tiles(workload: Int8WindowWorkload, core: Core) -> Iterator[Int8Tile]:
    """Every decision, of a row of outputs."""
    inputs = _inputs(workload, DEPTHS[dots_of(core)])
    return space_of_tiles(workload.outputs, inputs, workload.output_size[1], core)


def can_convolve(workload: Int8WindowWorkload, core: Core) -> bool:
    """Whether the inputs of a vector of outputs lie within one load."""
    span = (sum_lanes(core) - 1) * workload.stride + DEPTHS[dots_of(core)]
    planes = workload.layout == "planes" and not workload.writes_channels
    return workload.groups == 1 and planes and span <= LOAD


def pack_weights(weights: np.ndarray, workload: Int8WindowWorkload, tile: Int8Tile) -> np.ndarray:
    """OIHW as `int8_gemm` reads them: inputs are (channel, row, column), rows padded with 0."""
    outputs, inputs, rows, columns = weights.shape
    padded = -(-columns // tile.depth) * tile.depth
    whole = np.zeros((outputs, inputs, rows, padded), weights.dtype)
    whole[..., :columns] = weights
    return pack_gemm_weights(whole.reshape(1, outputs, -1), tile)


def int8_stem(workload: Int8WindowWorkload, tile: Int8Tile, threads: int) -> tirx.PrimFunc:
    """The kernel: parameters X float32 (channels, H, W), W as packed, B and M int32, Y int8.

    Threads share the rows of the picture, then those of the output.
    """
    rows, columns = workload.output_size
    m_tiles = len(tile_starts(workload.outputs, tile.rows))
    inputs = _inputs(workload, tile.depth)
    steps, _ = packed_shape(tile, inputs)
    channels = (workload.outputs,)
    y_shape = (workload.stored_channels or workload.outputs, rows, columns)
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("int8_stem")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg("X", T.Buffer((workload.inputs, *workload.size), "float32"))
        weights = T.arg("W", T.Buffer((1, m_tiles, steps, tile.rows * tile.depth), "int8"))
        bias = T.arg("B", T.Buffer(channels, "int32"))
        multipliers = T.arg("M", T.Buffer(channels, "int32"))
        y = T.arg("Y", T.Buffer(y_shape, "int8"))
        picture = T.alloc_buffer(_picture_shape(workload, tile), "int8")
        with share_of(int(picture.shape[1]), threads) as share:
            _make_int8(workload, tile.dots, x, picture, share)
        operands = Operands(weights, bias, multipliers, None, y)
        with share_of(rows, threads) as share, T.serial(*share) as row:
            _make_row(workload, tile, row, picture, operands)
    return builder.get().without_attr("global_symbol")


def _inputs(workload: Int8WindowWorkload, depth: int) -> int:
    """Of a sum, those beyond the kernel's rows included."""
    rows, columns = workload.kernel
    return workload.inputs * rows * (-(-columns // depth) * depth)


def _picture_shape(workload: Int8WindowWorkload, tile: Int8Tile) -> tuple[int, int, int]:
    """Of P, with what the last loads of a row read behind it."""
    top, left, bottom, right = workload.border
    columns = max(workload.output_size[1], tile.pixels)
    read = (columns - 1) * workload.stride + workload.kernel[1] + LOAD
    rows, width = workload.size
    return workload.inputs, rows + top + bottom, max(width + left + right, read)


def _make_int8(
    workload: Int8WindowWorkload,
    dots: Dots,
    x: tirx.Buffer,
    picture: tirx.Buffer,
    share: tuple[int | tirx.Expr, int | tirx.Expr],
) -> None:
    """A share of the rows of P, border included."""
    rows, columns = workload.size
    top, left, _, _ = workload.border
    behind = int(picture.shape[2]) - left - columns
    zero, of_border = tirx.const(workload.zero, "int32"), tirx.const(workload.zero, "int8")
    scale = workload.picture_scale
    factor = None if scale == 1 else tirx.const(scale, "float32")
    with (
        T.serial(*share) as row,
        T.serial(workload.inputs) as channel,
        T.If(tirx.all(row >= top, row < top + rows)),
    ):
        with T.Then():
            for first, count in ((0, left), (left + columns, behind)):
                fill(picture, [channel, row], first, count, of_border)
            for start, width in row_pieces(columns):
                read = x[channel, row - top, span(start, width)]
                value = rounded(read, factor, zero, dots)
                T.buffer_store(picture, value, [channel, row, span(start + left, width)])
        with T.Else():
            fill(picture, [channel, row], 0, int(picture.shape[2]), of_border)


def _make_row(
    workload: Int8WindowWorkload,
    tile: Int8Tile,
    row: tirx.Expr,
    picture: tirx.Buffer,
    operands: Operands,
) -> None:
    columns = workload.output_size[1]
    inputs = _inputs(workload, tile.depth)
    m_tiles = int(operands.weights.shape[1])
    extent = max(columns, tile.pixels)
    with T.serial(len(tile_starts(extent, tile.pixels))) as n_tile:
        first = start_of(n_tile, tile.pixels, extent)
        packed = T.alloc_buffer(packed_shape(tile, inputs), packed_dtype(tile))
        _pack(workload, tile, row, first, picture, packed)

        def store_at(output: tirx.Expr) -> list[tirx.Expr]:
            return [workload.first_channel + output, row, first]

        panel = Panel(packed, 0, min(tile.pixels, columns), store_at)
        multiply(tile, workload.outputs, panel, operands, workload.ending, (0, m_tiles))


def _pack(
    workload: Int8WindowWorkload,
    tile: Int8Tile,
    row: tirx.Expr,
    first: tirx.Expr,
    picture: tirx.Buffer,
    packed: tirx.Buffer,
) -> None:
    stride, depth, lanes = workload.stride, tile.depth, tile.lanes
    rows, columns = workload.kernel
    parts = -(-columns // depth)
    wide = lanes * depth
    with T.serial(workload.inputs) as channel, T.serial(rows) as i:
        for part in range(parts):
            for vector in range(tile.vectors):
                column = (first + vector * lanes) * stride + part * depth
                loaded = T.bind(picture[channel, row * stride + i, T.Ramp(column, 1, LOAD)])
                taps = windows_of(loaded, lanes, stride, columns - part * depth, depth)
                value = tirx.Cast(f"{packed.dtype}x{wide}", taps)
                at = T.Ramp(vector * wide, 1, wide)
                T.buffer_store(packed, value, [(channel * rows + i) * parts + part, at])
