"""Relax graphs of one picture, written by hand for tests of imports and passes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tvm
from tvm import relax

SHAPE = (1, 6, 4, 5)

Body = Callable[[relax.BlockBuilder, relax.Expr], relax.Expr]


def graph(body: Body, shape: tuple[int, ...] = SHAPE) -> tvm.IRModule:
    """`main` of a float32 tensor of `shape`, returning what `body` makes of it."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(shape, "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            result = builder.emit_output(body(builder, x))
        builder.emit_func_output(result)
    return builder.get()


def numbers(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Seeded values, of both signs."""
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)
