"""Rows a little shorter than a vector, in one all the same: 7 columns in 8 lanes of float16.

    load:     r0 r1 r2 r3 r4 r5 r6 | what comes next        # the first of the next row
    early:    what came before | r0 r1 r2 r3 r4 r5 r6       # and shifted: of a picture's last row
    store:    y0 y1 y2 y3, then y3 y4 y5 y6                 # two halves that overlap

No load leaves the buffer, no store leaves the row. Kernels of 1x g3 in float16, thousands of
modelled cycles on N1 (2026-11-25), in brackets by vectors of 4, of which the last begins earlier:

    depthwise 240x7x7 10.6 (18.9)    240x14x14 of stride 2 15.3 (33.7)
    average pool 480x14x14 32.0 (48.1)
"""

from __future__ import annotations

from collections.abc import Sequence

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.spans import Index
from deploy_rpc.cores import Core


def is_short(rows: int, columns: int, core: Core) -> bool:
    """Whether `rows` of so many `columns` of output fill more than half a vector, but not a whole.

    A single row has none before it.
    """
    return rows > 1 and core.lanes // 2 < columns < core.lanes


def load_row(
    x: tirx.Buffer, at: Sequence[Index], columns: int, width: int, *, early: bool
) -> tirx.Expr:
    """The row of `columns` values `at` its place in the first of `width` lanes; any in the others.

    With `early` there has to be a row before, else one behind.
    """
    over = width - columns
    value = T.bind(x[(*at, T.Ramp(-over if early else 0, 1, width))])
    return T.bind(tirx.Shuffle([value, value], list(range(over, over + width)))) if early else value


def blanked(value: tirx.Expr, columns: int, width: int) -> tirx.Expr:
    """`value`, 0 behind its first `columns` of `width` lanes."""
    zero = T.Broadcast(tirx.const(0, str(value.ty).split("x")[0]), width)
    lanes = [*range(columns), *range(width, 2 * width - columns)]
    return T.bind(tirx.Shuffle([value, zero], lanes))


def store_row(
    y: tirx.Buffer, at: Sequence[Index], value: tirx.Expr, columns: int, width: int
) -> None:
    """Stores the first `columns` of the `width` lanes of `value` from `at` on."""
    half = width // 2
    for first in (0, columns - half):
        lanes = list(range(first, first + half))
        T.buffer_store(y, tirx.Shuffle([value], lanes), [*at, T.Ramp(first, 1, half)])
