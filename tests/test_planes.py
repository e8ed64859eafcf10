"""NHWC graphs become NCHW, every shuffle takes one form, and what is computed stays the same."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from tvm import relax

from compile.frontend.planes import into_planes
from compile.passes.shuffle import shuffled
from tests.graphs import SHAPE, Body, graph, numbers
from tests.test_fold_batch_norm import operators, run

OP, NN = relax.op, relax.op.nn
NHWC, NCHW = (0, 2, 3, 1), (0, 3, 1, 2)
PER_CHANNEL = relax.const(np.arange(6, dtype=np.float32))
PER_VALUE = relax.const(np.arange(120, dtype=np.float32).reshape(1, 4, 5, 6))


def in_nhwc(body: Body) -> Body:
    """`body` between transposes."""

    def whole(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        y = builder.emit(body(builder, builder.emit(OP.permute_dims(x, NHWC))))
        return OP.permute_dims(y, NCHW) if len(y.ty.shape) == 4 else y

    return whole


SINKING = {
    "relu": (lambda b, x: NN.relu(x), ["nn.relu"]),
    "bias": (lambda b, x: OP.add(x, PER_CHANNEL), ["add"]),
    "scale": (lambda b, x: OP.multiply(PER_CHANNEL, x), ["multiply"]),
    "map": (lambda b, x: OP.add(x, PER_VALUE), ["add"]),
    "number": (lambda b, x: OP.subtract(x, relax.const(2.0, "float32")), ["subtract"]),
    "concat": (lambda b, x: OP.concat([x, b.emit(NN.relu(x))], axis=3), ["nn.relu", "concat"]),
    "mean": (lambda b, x: OP.mean(x, (1, 2)), ["mean"]),
    "kept mean": (lambda b, x: OP.mean(x, (1, 2), keepdims=True), ["mean"]),
    "pad": (lambda b, x: NN.pad(x, [0, 0, 1, 0, 0, 2, 0, 0]), ["nn.pad"]),
}


@pytest.mark.parametrize("name", SINKING)
def test_transposes_around_an_operator_vanish(name: str) -> None:
    body, expected = SINKING[name]
    before = graph(in_nhwc(body))
    after = into_planes(before)
    assert operators(after) == expected
    np.testing.assert_array_equal(run(after, numbers()), run(before, numbers()))


def test_a_shuffle_of_nhwc_becomes_the_one_of_planes() -> None:
    def nhwc(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        split = builder.emit(OP.reshape(x, (1, 4, 5, 3, 2)))
        return OP.reshape(builder.emit(OP.permute_dims(split, (0, 1, 2, 4, 3))), (1, 4, 5, 6))

    expected = graph(lambda _, x: shuffled(x, 3, SHAPE))
    without_renaming = relax.transform.CanonicalizeBindings()
    module = without_renaming(into_planes(graph(in_nhwc(nhwc))))
    tvm.ir.assert_structural_equal(module, expected)


def test_a_shuffle_and_its_inverse_are_nothing() -> None:
    def both(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        return NN.relu(builder.emit(shuffled(builder.emit(shuffled(x, 3, SHAPE)), 2, SHAPE)))

    assert operators(into_planes(graph(both))) == ["nn.relu"]


@pytest.mark.parametrize("axis", [1, 2])
def test_what_works_along_rows_keeps_its_transposes(axis: int) -> None:
    before = graph(in_nhwc(lambda b, x: NN.softmax(x, axis=axis)))
    after = into_planes(before)
    assert operators(after) == ["permute_dims", "nn.softmax", "permute_dims"]
    np.testing.assert_array_equal(run(after, numbers()), run(before, numbers()))
