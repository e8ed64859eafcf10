"""A register tile of int8 products: rows of outputs by vectors of pixels, from packed inputs.

    for m_tile:
      acc[rows, vectors] = B                               # int32, in registers
      for step: acc += W[m_tile, step, row] . packed[step, vector]       # of `depth` inputs each
      Y[..] = int8 of acc                                  # see `int8_lanes`

Packed inputs are [step][pixel][depth], so that a vector holds `depth` inputs of each of its pixels,
and are read once for every tile of outputs. Pixels behind the last one hold anything.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.int8_lanes import (
    DEPTHS,
    OCTET,
    STORED,
    Dots,
    Ending,
    add_dot,
    broadcast_weights,
    dots_of,
    load_octets,
    requantised,
    store_octets,
    sum_lanes,
)
from compile.schedules.int8_steps import each_step, unrolls_of
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.spans import pieces
from deploy_rpc.cores import Core

ACCUMULATORS = {"sdot": 28, "pairs": 10, "single": 24}  # vector registers for sums
MOST_ROWS, MOST_VECTORS = 12, 14
STORE_CYCLES = 0.9  # of starting one vector of sums and making int8 of it, in those of a product


@dataclass(frozen=True)
class Int8Tile:
    """The decisions: `rows` outputs by `vectors` of `lanes` pixels, and `k_unroll` steps of inputs
    an iteration; with `pixels_inner` a group's weights stay while all of its pixels come by.
    """

    dots: Dots
    rows: int
    vectors: int
    lanes: int
    k_unroll: int = 1
    pixels_inner: bool = False

    @property
    def pixels(self) -> int:
        """Of a tile, those that hold nothing included."""
        return self.vectors * self.lanes

    @property
    def depth(self) -> int:
        """Inputs of a step."""
        return DEPTHS[self.dots]


def default_tile(
    outputs: int, inputs: int, pixels: int, core: Core, most_vectors: int = MOST_VECTORS
) -> Int8Tile:
    """The tile with the fewest cycles, by a count of its instructions."""
    tiles = [t for t in fitting_tiles(outputs, pixels, core) if t.vectors <= most_vectors]
    return min(tiles, key=lambda tile: _cost(tile, outputs, inputs, pixels))


def space_of_tiles(
    outputs: int, inputs: int, pixels: int, core: Core, groups: int = 1
) -> Iterator[Int8Tile]:
    """Every decision for `groups` of so many outputs and inputs of a sum."""
    for tile in fitting_tiles(outputs, pixels, core):
        unrolls = unrolls_of(-(-inputs // tile.depth))
        orders = (False, True) if groups > 1 and pixels > tile.pixels else (False,)
        for unroll, pixels_inner in itertools.product(unrolls, orders):
            yield replace(tile, k_unroll=unroll, pixels_inner=pixels_inner)


def fitting_tiles(outputs: int, pixels: int, core: Core) -> list[Int8Tile]:
    """The tiles whose sums fit the registers, and which are no larger than they need be."""
    dots, lanes = dots_of(core), sum_lanes(core)
    rows = range(1, min(outputs, MOST_ROWS) + 1)
    vectors = range(1, min(-(-pixels // lanes), MOST_VECTORS) + 1)
    return [
        Int8Tile(dots, r, v, lanes)
        for r, v in itertools.product(rows, vectors)
        if r * v <= ACCUMULATORS[dots]
    ]


def _cost(tile: Int8Tile, outputs: int, inputs: int, pixels: int) -> float:
    steps = -(-inputs // tile.depth)
    products = tile.rows * tile.vectors
    loads = tile.vectors + tile.rows / (4 if tile.dots == "sdot" else 1)
    step = max(products, loads, 8)
    ends = STORE_CYCLES * products + tile.rows
    packing = steps * tile.vectors * tile.depth / 2
    panels = len(tile_starts(max(pixels, tile.pixels), tile.pixels))
    tiles = -(-outputs // tile.rows) * panels
    return tiles * (steps * step + ends) + panels * packing


def is_exact(tile: Int8Tile, outputs: int, pixels: int) -> bool:
    """Whether every value is computed once: then it may replace what it is added to."""
    whole = pixels % tile.pixels == 0 or pixels <= tile.pixels
    return whole and outputs % tile.rows == 0


def pack_weights(grouped: np.ndarray, tile: Int8Tile) -> np.ndarray:
    """(groups, M, K) to (groups, m tile, step, row * depth), K padded with 0."""
    groups, outputs, inputs = grouped.shape
    steps = -(-inputs // tile.depth)
    padded = np.zeros((groups, outputs, steps * tile.depth), grouped.dtype)
    padded[:, :, :inputs] = grouped
    blocks = [
        padded[:, start : start + tile.rows]
        .reshape(groups, tile.rows, steps, tile.depth)
        .transpose(0, 2, 1, 3)
        .reshape(groups, steps, tile.rows * tile.depth)
        for start in tile_starts(outputs, tile.rows)
    ]
    return np.ascontiguousarray(np.stack(blocks, axis=1))


@dataclass(frozen=True)
class Panel:
    """What all tiles of some pixels share: the packed inputs, and where their results go.

    `store_at` is the index in Y, and in R where there is one, of an output of the group at the
    first pixel; `count` of the pixels are real.
    """

    packed: tirx.Buffer
    group: tirx.Expr | int
    count: int
    store_at: Callable[[tirx.Expr], list[tirx.Expr]]
    shortcut_at: Callable[[tirx.Expr], list[tirx.Expr]] | None = None


@dataclass(frozen=True)
class Operands:
    """The buffers behind the sums."""

    weights: tirx.Buffer
    bias: tirx.Buffer
    multipliers: tirx.Buffer
    shortcut: tirx.Buffer | None
    y: tirx.Buffer


def multiply(
    tile: Int8Tile,
    outputs: int,
    panel: Panel,
    operands: Operands,
    ending: Ending,
    bounds: tuple[int | tirx.Expr, int | tirx.Expr],
) -> None:
    """The loop over the tiles `bounds` of a panel's `outputs`."""
    by_pairs = tile.dots == "pairs"
    with T.serial(*bounds) as m_tile:
        first = start_of(m_tile, tile.rows, outputs)
        channel = panel.group * outputs + first
        acc = T.alloc_buffer((tile.rows, tile.pixels), "int32", scope="local")
        for row, vector in _each(tile):
            start = T.Broadcast(operands.bias[channel + row], tile.lanes)
            T.buffer_store(acc, start, [row, _lanes(tile, vector)])
        steps = int(panel.packed.shape[0])
        wide = _widened(tile, operands.weights, [panel.group, m_tile]) if by_pairs else None
        for step in each_step(steps, tile.k_unroll):
            if by_pairs:
                _add_pairs(tile, acc, panel.packed, wide, step)
            else:
                at = [panel.group, m_tile, step, 0]
                _add_step(tile, acc, panel.packed, operands.weights, at)
        for row in range(tile.rows):
            _finish_row(tile, acc, row, first + row, channel + row, panel, operands, ending)


def _add_step(
    tile: Int8Tile,
    acc: tirx.Buffer,
    packed: tirx.Buffer,
    weights: tirx.Buffer,
    at: list[tirx.Expr],
) -> None:
    """The products of a step, whose weights are side by side from `at` on."""
    every = broadcast_weights(tile.dots, tile.lanes, weights, at, tile.rows)
    for vector in range(tile.vectors):
        values = T.bind(packed[at[2], _packed_lanes(tile, vector)])
        for row in range(tile.rows):
            _add(tile, acc, row, vector, values, every[row])


def _widened(tile: Int8Tile, weights: tirx.Buffer, at: list[tirx.Expr]) -> tirx.Buffer:
    """The weights of a tile as int16, once for all of its vectors: x86 then broadcasts a pair of
    them in one load.
    """
    steps, width = (int(extent) for extent in weights.shape[2:])
    wide = T.alloc_buffer((steps, width), "int16")
    with T.serial(steps) as step:
        for first, count in pieces(width):
            place = T.Ramp(first, 1, count)
            value = tirx.Cast(f"int16x{count}", weights[(*at, step, place)])
            T.buffer_store(wide, value, [step, place])
    return wide


def _add_pairs(
    tile: Int8Tile, acc: tirx.Buffer, packed: tirx.Buffer, wide: tirx.Buffer, step: tirx.Expr
) -> None:
    """The products of a step; one row's weights are in registers at a time."""
    values = [T.bind(packed[step, _packed_lanes(tile, v)]) for v in range(tile.vectors)]
    for row in range(tile.rows):
        pair = tirx.reinterpret("int32", wide[step, T.Ramp(tile.depth * row, 1, tile.depth)])
        splat = T.Broadcast(pair, tile.lanes)
        weights = T.bind(tirx.reinterpret(f"int16x{tile.depth * tile.lanes}", splat))
        for vector in range(tile.vectors):
            _add(tile, acc, row, vector, values[vector], weights)


def _add(
    tile: Int8Tile,
    acc: tirx.Buffer,
    row: int,
    vector: int,
    values: tirx.Expr,
    weights: tirx.Expr,
) -> None:
    place = [row, _lanes(tile, vector)]
    total = add_dot(tile.dots, tile.lanes, acc[tuple(place)], values, weights)
    T.buffer_store(acc, total, place)


def _finish_row(
    tile: Int8Tile,
    acc: tirx.Buffer,
    row: int,
    output: tirx.Expr,
    channel: tirx.Expr,
    panel: Panel,
    operands: Operands,
    ending: Ending,
) -> None:
    multiplier = T.bind(T.Broadcast(operands.multipliers[channel], tile.lanes))
    added = None
    if operands.shortcut is not None:
        added = load_octets(panel.count, operands.shortcut, panel.shortcut_at(output))
    together = OCTET // tile.lanes
    octets = []
    for index in range(-(-panel.count // OCTET)):
        vectors = range(index * together, min((index + 1) * together, tile.vectors))
        sums = [acc[row, _lanes(tile, vector)] for vector in vectors]
        multipliers = [multiplier] * len(sums)
        of_octet = None if added is None else added[index]
        octets.append(requantised(tile.dots, sums, multipliers, ending, of_octet))
    store_octets(octets, panel.count, operands.y, panel.store_at(output))


def _each(tile: Int8Tile) -> itertools.product:
    return itertools.product(range(tile.rows), range(tile.vectors))


def _lanes(tile: Int8Tile, vector: int) -> tirx.Expr:
    return T.Ramp(vector * tile.lanes, 1, tile.lanes)


def _packed_lanes(tile: Int8Tile, vector: int) -> tirx.Expr:
    lanes = tile.lanes * tile.depth
    return T.Ramp(vector * lanes, 1, lanes)


def packed_shape(tile: Int8Tile, inputs: int) -> tuple[int, int]:
    """Of a panel's packed inputs."""
    return -(-inputs // tile.depth), tile.pixels * tile.depth


def packed_dtype(tile: Int8Tile) -> str:
    """Of packed inputs."""
    return STORED[tile.dots]
