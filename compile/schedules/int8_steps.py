"""The loop over steps of inputs, of which a body may hold several."""

from __future__ import annotations

from collections.abc import Iterator

from tvm import tirx
from tvm.script.ir_builder import tirx as T

UNROLLS = (1, 2, 3, 4)  # of a step, which has up to 28 products by itself


def unrolls_of(count: int) -> list[int]:
    """How many of `count` steps a body may hold."""
    return [unroll for unroll in UNROLLS if count % unroll == 0]


def each_step(count: int, unroll: int) -> Iterator[tirx.Expr]:
    """Each of `count` steps, in a loop whose body has `unroll` of them, one of `unrolls_of`."""
    with T.serial(count // unroll) as outer:
        for part in range(unroll):
            yield outer * unroll + part
