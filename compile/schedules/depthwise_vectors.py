"""The vectors that cut a row of a depthwise convolution over planes, some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tvm.script.ir_builder import tirx as T

from compile.schedules.spans import Index


@dataclass(frozen=True)
class RowsTile:
    """The decisions: `rows` x `vectors` accumulators of `lanes` columns.

    Where what is left of a row is half a vector or a quarter, it may be a `shorter` one. A row may
    also be a short one, of fewer columns than a vector has lanes (see `short_rows`).
    """

    rows: int
    vectors: int
    lanes: int
    maxnum: bool
    shorter: bool = True


@dataclass(frozen=True)
class Columns:
    """A vector of output columns; at the edge of the row one tap lies outside."""

    first: Index
    width: int
    is_first: bool
    is_last: bool


def each_group(columns: int, tile: RowsTile) -> Iterator[list[Columns]]:
    """The vectors of a row, as many at a time as a tile has; the body runs up to three times."""
    vectors = _row_vectors(columns, tile)
    described = [
        Columns(first, width, index == 0, first + width >= columns)
        for index, (first, width) in enumerate(vectors)
    ]
    between = (len(vectors) - 1) // tile.vectors - 1
    if between < 2:
        for start in range(0, len(vectors), tile.vectors):
            yield described[start : start + tile.vectors]
        return
    yield described[: tile.vectors]
    span = tile.vectors * tile.lanes
    with T.serial(between) as group:
        yield [
            Columns(group * span + span + index * tile.lanes, tile.lanes, False, False)
            for index in range(tile.vectors)
        ]
    yield described[(between + 1) * tile.vectors :]


def _row_vectors(columns: int, tile: RowsTile) -> list[tuple[int, int]]:
    """First column and width of the vectors of a row; a short one is wider than the row."""
    if columns < tile.lanes:
        return [(0, tile.lanes)]
    whole, rest = divmod(columns, tile.lanes)
    vectors = [(index * tile.lanes, tile.lanes) for index in range(whole)]
    if rest:
        is_power = rest > 1 and rest & (rest - 1) == 0
        last = rest if tile.shorter and is_power else tile.lanes
        vectors.append((columns - last, last))
    return vectors
