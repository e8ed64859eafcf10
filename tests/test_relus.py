"""ReLUs go where a convolution can take them, and change no number."""

from __future__ import annotations

import numpy as np
import pytest
from tvm import relax

from compile.passes.relus import move_relus
from compile.passes.shuffle import shuffled
from tests.graphs import SHAPE, Body, graph, numbers
from tests.test_fold_batch_norm import operators, run

OP, NN = relax.op, relax.op.nn


def joined(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
    """Half of it is at least 0 already."""
    halves = [builder.emit(NN.max_pool2d(builder.emit(NN.relu(x)))), builder.emit(OP.negative(x))]
    return NN.relu(builder.emit(OP.concat(halves, axis=1)))


CASES: dict[str, tuple[Body, list[str]]] = {
    "concat": (joined, ["nn.relu", "nn.max_pool2d", "negative", "nn.relu", "concat"]),
    "shuffle": (
        lambda b, x: NN.relu(b.emit(shuffled(x, 3, SHAPE))),
        ["nn.relu", "reshape", "permute_dims", "reshape"],
    ),
    "twice": (lambda b, x: NN.relu(b.emit(NN.relu(x))), ["nn.relu"]),
    "sum of such": (
        lambda b, x: NN.relu(b.emit(OP.add(y := b.emit(NN.relu(x)), y))),
        ["nn.relu", "add"],
    ),
    "constant": (
        lambda b, x: NN.relu(b.emit(OP.add(b.emit(NN.relu(x)), relax.const(1.0, "float32")))),
        ["nn.relu", "add"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_relu_moves_or_vanishes(name: str) -> None:
    body, expected = CASES[name]
    before = graph(body)
    after = move_relus(before)
    assert operators(after) == expected
    np.testing.assert_array_equal(run(after, numbers()), run(before, numbers()))


def test_a_long_chain_of_sums_of_twice_the_same_is_looked_at_once() -> None:
    """Two ways back at each of 60 sums would be 2^60 ways to the beginning."""

    def doubled(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        x = builder.emit(NN.relu(x))
        for _ in range(60):
            x = builder.emit(OP.add(x, x))
        return NN.relu(x)

    assert operators(move_relus(graph(doubled))) == ["nn.relu", *["add"] * 60]


def used_twice(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
    whole = builder.emit(OP.concat([x, x], axis=1))
    return OP.add(builder.emit(NN.relu(whole)), whole)


@pytest.mark.parametrize(
    "body",
    [
        used_twice,
        lambda b, x: NN.relu(b.emit(OP.add(b.emit(NN.relu(x)), relax.const(-1.0, "float32")))),
        lambda b, x: NN.relu(b.emit(OP.subtract(b.emit(NN.relu(x)), x))),
    ],
    ids=["used twice", "a negative constant", "a difference"],
)
def test_the_others_are_left_alone(body: Body) -> None:
    before = graph(body)
    assert operators(move_relus(before)) == operators(before)
