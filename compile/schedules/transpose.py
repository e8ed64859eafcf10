"""Values transposed in registers, square by square, by exchanges of halves, quarters, and so on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.spans import Index, span


def store_across(
    planes: Callable[[Index, Index], tirx.Expr],
    shape: tuple[int, int],
    y: tirx.Buffer,
    at: tuple[Index, Index],
) -> None:
    """A row of channels and columns of `shape`, which `planes` loads, to channels in the lanes.

    `at` are the row and the first channel of Y (rows, columns, channels). Squares are transposed,
    as far as there are any.
    """
    (together, columns), (row, channel) = shape, at
    if columns < together:
        with T.serial(columns) as column, T.vectorized(together) as lane:
            T.buffer_store(y, planes(lane, column), [row, column, channel + lane])
        return
    with T.serial(len(tile_starts(columns, together))) as index:
        first = start_of(index, together, columns)
        rows = [planes(i, span(first, together)) for i in range(together)]
        for i, value in enumerate(transposed(rows)):
            T.buffer_store(y, value, [row, first + i, span(channel, together)])


def row_of(planes: tirx.Buffer, row: Index) -> Callable[[Index, Index], tirx.Expr]:
    """Row `row` of `planes` (channels, rows, columns), as `store_across` loads it."""
    return lambda channel, column: planes[channel, row, column]


def transposed(rows: Sequence[tirx.Expr]) -> list[tirx.Expr]:
    """The columns of `rows`, as many vectors as each has lanes; that is a power of two.

    In each step rows i and i + d exchange the d lanes of every 2 d where they meet: d is 1, 2, ...
    """
    count, values = len(rows), [T.bind(row) for row in rows]
    distance = 1
    while distance < count:
        exchanged = _exchanged(count, distance)
        for i in (i for i in range(count) if not i & distance):
            pair = values[i], values[i + distance]
            for place, lanes in zip((i, i + distance), exchanged, strict=True):
                values[place] = T.bind(tirx.Shuffle(list(pair), lanes))
        distance *= 2
    return values


def _exchanged(count: int, distance: int) -> tuple[list[int], list[int]]:
    """For both rows of a pair which lane of the two, one behind the other, comes into each lane."""
    first = [lane if not lane & distance else count + lane - distance for lane in range(count)]
    second = [lane + distance if not lane & distance else count + lane for lane in range(count)]
    return first, second
