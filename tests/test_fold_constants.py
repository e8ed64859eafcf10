"""What is computed from constants alone is a constant before any other pass looks."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from torch import nn
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R

from compile.passes.fold_constants import fold_constants
from tests.small_networks import small_network

WEIGHTS = np.arange(6, dtype=np.float32).reshape(2, 3)


@I.ir_module
class Moved:
    @R.function
    def main(x: R.Tensor((1, 2), "float32")) -> R.Tensor((1, 3), "float32"):  # noqa: N805
        with R.dataflow():
            turned = R.permute_dims(R.const(WEIGHTS.T.copy()))
            cube = R.permute_dims(R.reshape(turned, (1, 2, 3)), (1, 2, 0))
            y = R.matmul(x, R.reshape(cube, (2, 3)))
            R.output(y)
        return y


@I.ir_module
class Unmoved:
    @R.function
    def main(x: R.Tensor((1, 2), "float32")) -> R.Tensor((1, 3), "float32"):  # noqa: N805
        with R.dataflow():
            y = R.matmul(x, R.const(WEIGHTS))
            R.output(y)
        return y


@I.ir_module
class Added:
    @R.function
    def main(x: R.Tensor((2, 3), "float32")) -> R.Tensor((2, 3), "float32"):  # noqa: N805
        with R.dataflow():
            twice = R.add(R.permute_dims(R.const(WEIGHTS.T.copy())), R.const(WEIGHTS))
            y = R.add(x, twice)
            R.output(y)
        return y


def calls_of(module: tvm.IRModule) -> list[relax.Call]:
    return [b.value for block in module["main"].body.blocks for b in block.bindings]


def operators(module: tvm.IRModule) -> list[str]:
    return [call.op.name for call in calls_of(module) if isinstance(call, relax.Call)]


def test_moves_of_a_constant_are_made_once_and_for_all() -> None:
    folded = fold_constants(Moved)
    assert operators(folded) == operators(Unmoved)
    (product,) = calls_of(folded)
    np.testing.assert_array_equal(product.args[1].value.numpy(), WEIGHTS)


def test_moves_need_nothing_to_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relax.transform, "FoldConstant", None)
    network = small_network(nn.Sequential(nn.Flatten(), nn.Linear(3 * 5 * 5, 4)), side=5)
    folded = fold_constants(network.module)
    assert not any("relax.permute_dims" in name for name in operators(folded))


def test_arithmetic_on_constants_is_done_too() -> None:
    folded = fold_constants(Added)
    assert operators(folded) == ["relax.add"]
    (total,) = calls_of(folded)
    np.testing.assert_array_equal(total.args[1].value.numpy(), 2 * WEIGHTS)


def test_a_module_without_any_stays_as_it_is() -> None:
    assert fold_constants(Unmoved).same_as(Unmoved)


def test_the_pass_is_pure() -> None:
    before = Moved.script()
    fold_constants(Moved)
    assert Moved.script() == before
