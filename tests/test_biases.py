"""Biases move behind a depthwise convolution and along shortcuts, and change no result."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from tvm import relax

from compile.passes.biases import move_biases
from tests.graphs import Body, graph
from tests.graphs import numbers as numbers_of
from tests.test_fold_batch_norm import operators, run

OP, NN = relax.op, relax.op.nn
CHANNELS, GROUPS = 6, 3
SHAPE = (1, CHANNELS, 4, 5)


def biased(
    builder: relax.BlockBuilder, x: relax.Expr, seed: int, groups: int, side: int = 1, pad: int = 0
) -> relax.Var:
    random = np.random.default_rng(seed)
    weights = random.standard_normal((CHANNELS, CHANNELS // groups, side, side))
    bias = random.standard_normal((1, CHANNELS, 1, 1))
    conv = builder.emit(NN.conv2d(x, relax.const(weights, "float32"), padding=pad, groups=groups))
    return builder.emit(OP.add(conv, relax.const(bias, "float32")))


def unit(
    builder: relax.BlockBuilder, x: relax.Expr, seed: int, *, shortcut_first: bool = False
) -> relax.Var:
    """As of ShuffleNet, without its shuffle."""
    narrow = builder.emit(NN.relu(biased(builder, x, seed, GROUPS)))
    deep = biased(builder, narrow, seed + 1, CHANNELS, side=3, pad=1)
    wide = biased(builder, deep, seed + 2, GROUPS)
    total = OP.add(x, wide) if shortcut_first else OP.add(wide, x)
    return builder.emit(NN.relu(builder.emit(total)))


def three_units(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
    first = unit(builder, x, 0)
    return NN.relu(unit(builder, unit(builder, first, 10, shortcut_first=True), 20))


def numbers() -> np.ndarray:
    return numbers_of(SHAPE)


def added(module: tvm.IRModule) -> list[bool]:
    """Of each constant that is added, in order, whether any of it is not 0."""
    found: list[bool] = []

    def visit(node: relax.Expr) -> None:
        is_sum = isinstance(node, tvm.ir.Call) and node.op == tvm.ir.Op.get("relax.add")
        if is_sum and isinstance(node.args[1], tvm.ir.Constant):
            found.append(bool(node.args[1].value.numpy().any()))

    relax.analysis.post_order_visit(module["main"], visit)
    return found


def test_a_depthwise_bias_goes_into_the_next_one() -> None:
    def body(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        deep = biased(builder, x, 0, CHANNELS, side=3, pad=1)
        return OP.add(biased(builder, deep, 1, GROUPS), biased(builder, deep, 2, 1))

    before = graph(body, SHAPE)
    after = move_biases(before)
    assert added(before) == [True, True, True]
    assert added(after) == [False, True, True]
    np.testing.assert_allclose(run(after, numbers()), run(before, numbers()), rtol=1e-5, atol=1e-5)


def test_along_a_chain_only_the_first_sum_adds_a_bias() -> None:
    before = graph(three_units, SHAPE)
    after = move_biases(before)
    # of each unit the bias of the first convolution, of the depthwise one, of the last
    assert added(after) == [True, False, True, True, False, False, True, False, False]
    assert operators(after).count("maximum") == 2
    np.testing.assert_allclose(run(after, numbers()), run(before, numbers()), rtol=1e-5, atol=1e-5)


def behind_relu(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
    deep = builder.emit(NN.relu(biased(builder, x, 0, CHANNELS, side=3, pad=1)))
    return biased(builder, deep, 1, GROUPS)


def behind_border(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
    deep = biased(builder, x, 0, CHANNELS, side=3, pad=1)
    return biased(builder, deep, 1, GROUPS, side=3, pad=1)


def used_elsewhere(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
    deep = biased(builder, x, 0, CHANNELS, side=3, pad=1)
    return OP.add(biased(builder, deep, 1, GROUPS), deep)


@pytest.mark.parametrize("body", [behind_relu, behind_border, used_elsewhere])
def test_a_depthwise_bias_stays(body: Body) -> None:
    before = graph(body, SHAPE)
    assert added(move_biases(before)) == [True, True]


def test_what_something_else_reads_has_no_floor() -> None:
    """A result that is an output, too, or that a pool reads, has to be what it was."""

    def body(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        first = unit(builder, x, 0)
        second = unit(builder, first, 10)
        pooled = builder.emit(NN.max_pool2d(first, (3, 3), padding=(1, 1)))
        return OP.multiply(second, pooled)

    before = graph(body, SHAPE)
    after = move_biases(before)
    assert "maximum" not in operators(after)
    np.testing.assert_allclose(run(after, numbers()), run(before, numbers()), rtol=1e-5, atol=1e-5)
