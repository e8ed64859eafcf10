"""The max pool behind the stem, channels in the lanes: results of the convolution to values of the
pool, of whole vectors and of halves alike.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.maximum import larger_for_relu, ordered_relu


def result_of(sums: tirx.Expr) -> tirx.Expr:
    """A vector of what the convolution makes, behind its ReLU."""
    return T.bind(ordered_relu(sums))


def largest_of_rows(results: Sequence[tirx.Expr], last: tirx.Expr) -> tirx.Expr:
    """Of a column: its own rows, and the `last` one above."""
    return T.bind(functools.reduce(_larger, results, last))


def values_of_columns(
    columns: Sequence[tuple[tirx.Expr, tirx.Expr]], left: tirx.Expr | None
) -> list[tirx.Expr]:
    """The values of the pool of pairs of even and odd `columns` side by side.

    Each sees the odd column to its left, the first one `left`, which is None at the border.
    """
    values = []
    for even, odd in columns:
        largest = _larger(even, odd)
        values.append(largest if left is None else _larger(largest, left))
        left = odd
    return values


def _larger(a: tirx.Expr, b: tirx.Expr) -> tirx.Expr:
    return larger_for_relu(a, b, maxnum=True)
