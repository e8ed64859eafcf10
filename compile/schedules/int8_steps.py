"""The loop over steps of inputs, of which a body may hold several."""

from __future__ import annotations

from collections.abc import Iterator

from tvm import tirx
from tvm.script.ir_builder import tirx as T

UNROLLS = (1, 2, 3, 4)  # of a step, which has up to 28 products by itself


def each_step(count: int, unroll: int) -> Iterator[tirx.Expr]:
    """Each of `count` steps, in a loop whose body has `unroll` of them, which divides `count`."""
    if unroll == 1:
        with T.serial(count) as step:
            yield step
        return
    with T.serial(count // unroll) as outer:
        for part in range(unroll):
            yield outer * unroll + part
