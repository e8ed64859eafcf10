"""Values side by side: the places of a vector, or of one value, and which vectors make a row."""

from __future__ import annotations

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.overlap import tile_starts

Index = int | tirx.Expr
MOST = 16  # values of a piece: int8 in 128 bits


def span(first: Index, width: int) -> Index:
    """The places of `width` values from `first` on; of one value its place."""
    return T.Ramp(first, 1, width) if width > 1 else first


def pieces(count: int) -> list[tuple[int, int]]:
    """First and width of vectors of at most `MOST` values, powers of two, that make `count`."""
    found, first = [], 0
    while first < count:
        width = min(MOST, 1 << ((count - first).bit_length() - 1))
        found.append((first, width))
        first += width
    return found


def row_pieces(count: int) -> list[tuple[int, int]]:
    """The same of whole vectors, of which the last begins earlier; `pieces` where none fits."""
    if count < MOST:
        return pieces(count)
    return [(start, MOST) for start in tile_starts(count, MOST)]


def fill(buffer: tirx.Buffer, at: list[Index], first: int, count: int, value: tirx.Expr) -> None:
    """Writes `value` to `count` places from `first` on, along the axis behind `at`."""
    for start, width in pieces(count):
        several = T.Broadcast(value, width) if width > 1 else value
        T.buffer_store(buffer, several, [*at, span(first + start, width)])
