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
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.int8_lanes import (
    OCTET,
    STORED,
    Ending,
    add_dot,
    broadcast_weights,
    load_octets,
    requantised,
    store_octets,
)
from compile.schedules.int8_steps import each_step
from compile.schedules.int8_tiles import Int8Tile
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.spans import pieces


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
