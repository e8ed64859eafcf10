"""Where a tile of the stem with its pool lies, channels in the lanes, and which taps it has there.

Borders are met only at the top and at the left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.stem_pool_workload import COLUMNS, KERNEL, ROWS, STRIDE
from compile.schedules.volatile import hidden


@dataclass(frozen=True)
class Place:
    """Where a tile lies: its weights, its first channel, its first value, its borders."""

    m_tile: tirx.Expr
    channel: tirx.Expr
    row: int | tirx.Expr
    column: int | tirx.Expr
    is_top: bool
    is_left: bool

    def row_of(self, row: int, i: int) -> tirx.Expr:
        """The row of the picture under tap i of `row` of the tile."""
        return (self.row * ROWS + row) * STRIDE + i - 1

    def column_of(self, column: int, j: int) -> tirx.Expr:
        """The column of the picture under tap j of `column` of the tile."""
        return (self.column * COLUMNS + column) * STRIDE + j - 1


def taps_of(at_border: bool) -> Iterator[tuple[bool, tirx.Expr]]:
    """The loops over the taps of an axis: whether the first value has none there, and the tap.

    LLVM does not write them out.
    """
    first = 1 if at_border else 0
    for tap in range(first):
        yield True, tap
    with T.serial(hidden(KERNEL - first)) as tap:  # from 0: see share_of
        yield False, first + tap
