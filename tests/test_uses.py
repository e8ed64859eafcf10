"""Each variable's users are known once each, what `main` returns included."""

from __future__ import annotations

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from compile.passes.rewriting import mutated_main
from compile.passes.uses import Uses
from tests.graphs import graph
from tests.test_fold_batch_norm import operators


def joined(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
    y = builder.emit(relax.op.nn.relu(x))
    z = builder.emit(relax.op.add(y, y))
    return relax.op.multiply(z, builder.emit(relax.op.negative(y)))


def test_a_value_used_twice_in_one_sum_has_one_user() -> None:
    uses = Uses(graph(joined)["main"])
    relu, double, minus, product = (binding.var for binding in uses.bindings)
    assert uses.users(relu) == [double, minus]
    assert uses.users(double) == [product]
    assert uses.is_used_once(double)
    assert not uses.is_used_once(relu)
    assert uses.bound[product].op == tvm.ir.Op.get("relax.multiply")


def test_what_is_returned_is_used() -> None:
    uses = Uses(graph(joined)["main"])
    assert uses.users(uses.bindings[-1].var) == [None]
    assert uses.users(relax.Var("elsewhere", relax.TensorType((1,), "float32"))) == []


def test_a_mutator_sees_no_second_name_of_a_value() -> None:
    def twice_named(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        y = builder.emit(relax.op.nn.relu(x))
        return relax.op.add(y, builder.emit(y))

    seen: list[Uses] = []

    @mutator
    class Looking(PyExprMutator):
        def __init__(self, module: tvm.IRModule) -> None:
            super().__init__(module)
            seen.append(Uses(module["main"]))

    after = mutated_main(graph(twice_named), Looking)
    assert operators(after) == ["nn.relu", "add"]
    assert len(seen[0].bindings) == 2
    assert seen[0].is_used_once(seen[0].bindings[0].var)
