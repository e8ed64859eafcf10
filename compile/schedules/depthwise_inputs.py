"""What a vector of outputs of a depthwise 3x3 reads of one row of planes, in three registers.

Where the row begins or ends they are shifted over a zero; at stride 2 even and odd columns are
parted as they are read.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.depthwise_vectors import Columns
from compile.schedules.short_rows import blanked, load_row
from compile.schedules.spans import Index
from compile.schedules.window_workload import WindowWorkload

BORDER = 1


@dataclass(frozen=True)
class Part:
    """A tile of rows of a channel, and whether there is a row of the input above and below."""

    channel: tirx.Expr
    row: tirx.Expr
    has_above: bool
    has_below: bool


def inputs_of(
    workload: WindowWorkload, part: Part, row: int, vector: Columns, x: tirx.Buffer
) -> tuple[tirx.Expr, tirx.Expr, tirx.Expr]:
    """What lies to the left, at and to the right of a vector's columns, in one row."""
    width, stride = vector.width, workload.stride
    zero = T.Broadcast(tirx.const(0, workload.dtype), width)

    def load(column: Index, count: int) -> tirx.Expr:
        at = T.Ramp(column, 1, count)
        return T.bind(x[part.channel, part.row * stride + row - BORDER, at])

    def every_other(pairs: tirx.Expr, first: int) -> tirx.Expr:
        return T.bind(tirx.Shuffle([pairs], list(range(first, 2 * width, 2))))

    def shifted(before: tirx.Expr, behind: tirx.Expr, first: int) -> tirx.Expr:
        return T.bind(tirx.Shuffle([before, behind], list(range(first, first + width))))

    if stride == 1:
        here = load(vector.first, width)
        left = shifted(zero, here, width - 1) if vector.is_first else load(vector.first - 1, width)
        right = shifted(here, zero, 1) if vector.is_last else load(vector.first + 1, width)
        return left, here, right
    pairs = load(vector.first * 2, 2 * width)
    here, right = every_other(pairs, 0), every_other(pairs, 1)
    if vector.is_first:
        return shifted(zero, right, width - 1), here, right
    return every_other(load(vector.first * 2 - 2, 2 * width), 1), here, right


def short_inputs(
    workload: WindowWorkload,
    part: Part,
    row: int,
    lanes: int,
    is_last: bool,
    x: tirx.Buffer,
) -> tuple[tirx.Expr, tirx.Expr, tirx.Expr]:
    """As `inputs_of`, of a whole short row; the `is_last` one of a tile may be the picture's."""
    stride, columns = workload.stride, workload.size[1]
    at = [part.channel, part.row * stride + row - BORDER]
    zero = T.Broadcast(tirx.const(0, workload.dtype), lanes)

    def shifted(before: tirx.Expr, behind: tirx.Expr, first: int) -> tirx.Expr:
        return T.bind(tirx.Shuffle([before, behind], list(range(first, first + lanes))))

    given = load_row(x, at, columns, stride * lanes, early=is_last)
    if stride == 1:
        here = blanked(given, columns, lanes)
        return shifted(zero, here, lanes - 1), here, shifted(here, zero, 1)
    here, right = (T.bind(tirx.Shuffle([given], list(range(e, 2 * lanes, 2)))) for e in range(2))
    return shifted(zero, right, lanes - 1), here, right
