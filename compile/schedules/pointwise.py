"""Grouped 1x1 convolution as a batched GEMM over pixel planes, with everything behind it fused.

    Y[store(g*M + m), n] = relu(sum_k W[g, m, k] * X[load(g*K + k), n] + B[g*M + m] + R[g*M + m, n])

`store` and `load` are where a channel shuffle behind or before puts a channel, so that it costs
nothing; R is the shortcut. Shuffles, R and relu are optional. The loop nest:

    for g: for m_tile, n_tile (order by what stays in L1):
      acc[rows, vectors] = B (+ R)                    # in registers
      for k (unrolled by k_unroll): acc += W[.., rows] * X[k, vectors]
      Y[store(..), ..] = max(acc, 0)

Pixels are in the lanes. Neither M nor N need be a multiple of its tile: the last tile begins
earlier and computes some values again, the same ones (no tail, no predicate, no padded plane). A
plane of 7x7 is four vectors of 16 lanes, 15 of its values computed twice.

GFLOP/s of (groups, M, K, N), one thread of an AVX-512 Xeon, shared, 2026-11-23: (3, 20, 80, 784)
198 to 217; (3, 80, 20, 784) with shortcut 146; (3, 40, 160, 196) 168; (3, 80, 320, 49) 150. On ARM
not measured. The order of the loops changed the whole network by less than 2 %.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.registers import accumulator_budget, tile_cycles
from deploy_rpc.cores import Core

K_UNROLLS = (4, 2, 1)
FLOAT, FLOAT_BYTES = "float32", 4


@dataclass(frozen=True)
class PointwiseWorkload:
    """M outputs from K inputs in each of `groups`, at `pixels` (N) places.

    `shuffle_rows` is the r of a shuffle of the C = groups * M outputs, reshape (r, C / r) and
    transpose; `load_rows` that of a shuffle of the inputs before; 1 is no shuffle.
    """

    groups: int
    outputs: int
    inputs: int
    pixels: int
    relu: bool
    shortcut: bool
    shuffle_rows: int = 1
    load_rows: int = 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one call."""
        return self.groups * self.outputs * self.inputs * self.pixels

    @property
    def channels(self) -> int:
        """Output channels of all groups."""
        return self.groups * self.outputs

    def loaded_channel(self, channel: tirx.PrimExpr) -> tirx.PrimExpr:
        """Where `channel` of the shuffled inputs lies in what is given."""
        if self.load_rows == 1:
            return channel
        per_row = self.groups * self.inputs // self.load_rows
        return channel % self.load_rows * per_row + channel // self.load_rows

    def stored_channel(self, channel: tirx.PrimExpr) -> tirx.PrimExpr:
        """Where the shuffle behind puts `channel`."""
        if self.shuffle_rows == 1:
            return channel
        per_row = self.channels // self.shuffle_rows
        return channel % per_row * self.shuffle_rows + channel // per_row


@dataclass(frozen=True)
class PointwiseTile:
    """The decisions: accumulators are `rows` x `vectors` vectors of `lanes` pixels."""

    rows: int
    vectors: int
    lanes: int
    k_unroll: int
    pixels_outer: bool


def default_tile(workload: PointwiseWorkload, core: Core) -> PointwiseTile:
    """The tile with the least modelled cycles among those whose accumulators fit the registers."""
    lanes = min(core.lanes, 1 << (workload.pixels.bit_length() - 1))
    budget = accumulator_budget(core)
    fitting = [
        (rows, vectors)
        for rows, vectors in itertools.product(range(1, budget + 1), repeat=2)
        if rows * vectors <= budget
        and rows <= workload.outputs
        and vectors * lanes <= workload.pixels
    ]
    rows, vectors = min(fitting, key=lambda tile: _modelled_cycles(workload, core, lanes, *tile))
    return PointwiseTile(
        rows=rows,
        vectors=vectors,
        lanes=lanes,
        k_unroll=next(unroll for unroll in K_UNROLLS if workload.inputs % unroll == 0),
        pixels_outer=_pixels_outer(workload, core, rows, vectors * lanes),
    )


def pack_weights(
    weights: np.ndarray, workload: PointwiseWorkload, tile: PointwiseTile
) -> np.ndarray:
    """OIHW (groups * M, K, 1, 1) to [group][m tile][k][row], in the order of use."""
    grouped = weights.reshape(workload.groups, workload.outputs, workload.inputs)
    m_starts, _ = _tiles(workload, tile)
    blocks = [grouped[:, start : start + tile.rows].transpose(0, 2, 1) for start in m_starts]
    return np.ascontiguousarray(np.stack(blocks, axis=1))


def pointwise(workload: PointwiseWorkload, tile: PointwiseTile, threads: int) -> tirx.PrimFunc:
    """The kernel: parameters X (groups * K, N), W as packed, B (groups * M,), [R], Y.

    R and Y are (groups * M, N), all is float32. Several threads share the tiles of all groups.
    """
    planes = (workload.channels, workload.pixels)
    m_tiles, n_tiles = (len(starts) for starts in _tiles(workload, tile))
    packed = (workload.groups, m_tiles, workload.inputs, tile.rows)
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("pointwise")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg("X", T.Buffer((workload.groups * workload.inputs, workload.pixels), FLOAT))
        weights = T.arg("W", T.Buffer(packed, FLOAT))
        bias = T.arg("B", T.Buffer((workload.channels,), FLOAT))
        shortcut = T.arg("R", T.Buffer(planes, FLOAT)) if workload.shortcut else None
        y = T.arg("Y", T.Buffer(planes, FLOAT))
        loop = T.parallel if threads > 1 else T.serial
        with loop(workload.groups * m_tiles * n_tiles) as index:
            place = _place(workload, tile, index, m_tiles, n_tiles)
            acc = T.alloc_buffer((tile.rows, tile.vectors, tile.lanes), FLOAT, scope="local")
            _start(workload, tile, place, acc, bias, shortcut)
            _accumulate(workload, tile, place, acc, x, weights)
            _finish(workload, tile, place, acc, y)
    return builder.get().without_attr("global_symbol")


@dataclass(frozen=True)
class _Place:
    """Where a tile lies: its group, its index and first row within it, its first pixel."""

    group: tirx.PrimExpr
    m_tile: tirx.PrimExpr
    row: tirx.PrimExpr
    pixel: tirx.PrimExpr


def _place(
    workload: PointwiseWorkload,
    tile: PointwiseTile,
    index: tirx.PrimExpr,
    m_tiles: int,
    n_tiles: int,
) -> _Place:
    group, rest = index // (m_tiles * n_tiles), index % (m_tiles * n_tiles)
    m_tile = rest % m_tiles if tile.pixels_outer else rest // n_tiles
    n_tile = rest // m_tiles if tile.pixels_outer else rest % n_tiles
    width = tile.vectors * tile.lanes
    return _Place(
        group=group,
        m_tile=m_tile,
        row=start_of(m_tile, tile.rows, workload.outputs),
        pixel=start_of(n_tile, width, workload.pixels),
    )


def _start(
    workload: PointwiseWorkload,
    tile: PointwiseTile,
    place: _Place,
    acc: tirx.Buffer,
    bias: tirx.Buffer,
    shortcut: tirx.Buffer | None,
) -> None:
    for row, vector, lane in _each_value(tile):
        channel = place.group * workload.outputs + place.row + row
        value = bias[channel]
        if shortcut is not None:
            value = shortcut[channel, place.pixel + vector * tile.lanes + lane] + value
        T.buffer_store(acc, value, [row, vector, lane])


def _accumulate(
    workload: PointwiseWorkload,
    tile: PointwiseTile,
    place: _Place,
    acc: tirx.Buffer,
    x: tirx.Buffer,
    weights: tirx.Buffer,
) -> None:
    with T.serial(workload.inputs // tile.k_unroll) as outer, T.unroll(tile.k_unroll) as inner:
        k = outer * tile.k_unroll + inner
        channel = workload.loaded_channel(place.group * workload.inputs + k)
        for row, vector, lane in _each_value(tile):
            value = x[channel, place.pixel + vector * tile.lanes + lane]
            product = value * weights[place.group, place.m_tile, k, row]
            T.buffer_store(acc, acc[row, vector, lane] + product, [row, vector, lane])


def _finish(
    workload: PointwiseWorkload,
    tile: PointwiseTile,
    place: _Place,
    acc: tirx.Buffer,
    y: tirx.Buffer,
) -> None:
    for row, vector, lane in _each_value(tile):
        value = acc[row, vector, lane]
        channel = workload.stored_channel(place.group * workload.outputs + place.row + row)
        column = place.pixel + vector * tile.lanes + lane
        value = tirx.max(value, tirx.const(0, FLOAT)) if workload.relu else value
        T.buffer_store(y, value, [channel, column])


def _each_value(tile: PointwiseTile) -> Iterator[tuple[tirx.PrimExpr, ...]]:
    """The loops over a tile's accumulators; the body runs once, inside them."""
    rows, vectors, lanes = T.unroll(tile.rows), T.unroll(tile.vectors), T.vectorized(tile.lanes)
    with rows as row, vectors as vector, lanes as lane:
        yield row, vector, lane


def _tiles(workload: PointwiseWorkload, tile: PointwiseTile) -> tuple[list[int], list[int]]:
    """First rows and first pixels of all tiles of a group."""
    return (
        tile_starts(workload.outputs, tile.rows),
        tile_starts(workload.pixels, tile.vectors * tile.lanes),
    )


def _modelled_cycles(
    workload: PointwiseWorkload, core: Core, lanes: int, rows: int, vectors: int
) -> float:
    """Of one group."""
    tiles = -(-workload.outputs // rows) * -(-workload.pixels // (vectors * lanes))
    return tiles * tile_cycles(core, rows, vectors, workload.inputs)


def _pixels_outer(workload: PointwiseWorkload, core: Core, rows: int, width: int) -> bool:
    """Whether walking pixels outside and rows inside reads less through L1."""
    x_bytes = FLOAT_BYTES * workload.inputs * workload.pixels
    w_bytes = FLOAT_BYTES * workload.inputs * workload.outputs
    half_l1 = core.l1d_kib * 1024 // 2
    w_again = 1 if w_bytes <= half_l1 else -(-workload.pixels // width)
    x_again = 1 if x_bytes <= half_l1 else -(-workload.outputs // rows)
    return x_bytes + w_bytes * w_again < x_bytes * x_again + w_bytes
