"""The accumulators of a tile of a grouped 1x1 convolution: which there are, which value each holds.

Walked by generators of loops, whose bodies run inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.pointwise_place import Place
from compile.schedules.pointwise_tiles import PointwiseTile, tiled_pixels
from compile.schedules.pointwise_workload import PointwiseWorkload


@dataclass(frozen=True)
class Part:
    """Accumulators `acc[row, vector, lane]`; rows are outputs and lanes pixels, or the other way.

    `pixel` is the first one. Of the last vector `padding` lanes hold nothing.
    """

    acc: tirx.Buffer
    pixel: tirx.Expr
    outputs_in_lanes: bool
    padding: int = 0


@dataclass(frozen=True)
class Value:
    """One accumulator: its index, which output of its tile it is, and which pixel of all."""

    at: tuple[tirx.Expr, ...]
    output: tirx.Expr
    pixel: tirx.Expr


def parts_of(
    workload: PointwiseWorkload, tile: PointwiseTile, place: Place, *, outputs: int, tail: bool
) -> list[Part]:
    """The accumulators of a tile, but for a vector that pixels share.

    Where outputs are in the lanes, there are `outputs` from the tile's first one on.
    """
    parts = []
    if whole := tile.vectors - (tile.sharing > 1):
        acc = T.alloc_buffer((tile.rows, whole, tile.lanes), workload.dtype)
        along = workload.pixels if workload.layout == "planes" else outputs
        padding = tile.padding(along) if tile.sharing == 1 else 0
        parts.append(Part(acc, place.pixel, workload.layout == "channels", padding))
    if tail:
        first = tiled_pixels(workload, tile)
        rest = (workload.pixels - first, tile.rows // tile.row_lanes, tile.row_lanes)
        parts.append(Part(T.alloc_buffer(rest, workload.dtype), first, outputs_in_lanes=True))
    return parts


def each_value(part: Part) -> Iterator[Value]:
    """The loops over accumulators; the body runs once, inside them."""
    rows, vectors, lanes = (int(extent) for extent in part.acc.shape)
    with T.unroll(rows) as row, T.unroll(vectors) as vector, T.vectorized(lanes) as lane:
        yield _value(part, row, vector, lane)


def each_stored_value(workload: PointwiseWorkload, part: Part) -> Iterator[Value]:
    """The same without padding; with padding the body runs twice, the last vector for itself.

    One by one where what lies side by side in the lanes does not in memory.
    """
    rows, vectors, lanes = (int(extent) for extent in part.acc.shape)
    if part.outputs_in_lanes and workload.layout == "planes":
        with T.unroll(rows) as row, T.unroll(vectors) as vector, T.unroll(lanes) as lane:
            yield _value(part, row, vector, lane)
        return
    if not part.padding:
        yield from each_value(part)
        return
    last = vectors - 1
    if last:
        with T.unroll(rows) as row, T.unroll(last) as vector, T.vectorized(lanes) as lane:
            yield _value(part, row, vector, lane)
    with T.unroll(rows) as row, T.vectorized(lanes - part.padding) as lane:
        yield _value(part, row, last, lane)


def _value(part: Part, row: tirx.Expr, vector: int | tirx.Expr, lane: tirx.Expr) -> Value:
    along = vector * int(part.acc.shape[2]) + lane
    output, pixel = (along, row) if part.outputs_in_lanes else (row, along)
    return Value((row, vector, lane), output, part.pixel + pixel)
