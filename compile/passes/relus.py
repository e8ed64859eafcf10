"""ReLUs where a convolution can take them: before a concat, before a shuffle, and none for nothing.

    relu(concat(x, y))      ->   concat(relu(x), relu(y))
    relu(reshape(x))        ->   reshape(relu(x))             and transposes, hence shuffles
    relu(max_pool2d(x))     ->   max_pool2d(x)                where x is at least 0

Caffe's and Caffe2's ShuffleNets have their ReLU behind the concat. Left alone: a concat or a
shuffle that is used elsewhere, too.
"""

from __future__ import annotations

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from compile.passes.rewriting import is_call, mutated_main
from compile.passes.uses import Uses

RELU, CONCAT = "relax.nn.relu", "relax.concat"
MOVES = ("relax.reshape", "relax.permute_dims")
KEEP_THE_SIGN = (  # their result is at least 0 where all their operands are
    *MOVES,
    CONCAT,
    "relax.add",
    "relax.mean",
    "relax.nn.avg_pool2d",
    "relax.nn.max_pool2d",
)


def move_relus(module: tvm.IRModule) -> tvm.IRModule:
    """Relax to Relax, main only."""
    return mutated_main(module, _Moving)


@mutator
class _Moving(PyExprMutator):
    """In order of the bindings; what is overtaken becomes dead code."""

    def __init__(self, module: tvm.IRModule) -> None:
        super().__init__(module)
        self._uses = Uses(module["main"])
        self._at_least_0: dict[relax.Expr, bool] = {}

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        given = self.visit_expr_post_order(call)
        if not is_call(given, (RELU,)):
            return given
        if self._is_at_least_0(given.args[0]):
            return given.args[0]
        is_free = self._uses.is_used_once(call.args[0])
        return self._rectified(given.args[0]) if is_free else given

    def _rectified(self, x: relax.Expr) -> relax.Expr:
        """relu(x), as early as it can be."""
        bound = self._bound(x)
        if is_call(bound, (CONCAT,)):
            parts = [
                part if self._is_at_least_0(part) else self.builder_.emit(self._rectified(part))
                for part in bound.args[0].fields
            ]
            return relax.op.concat(parts, int(bound.attrs.axis))
        if is_call(bound, MOVES):
            before, *others = bound.args
            early = self.builder_.emit(self._rectified(before))
            return tvm.ir.Call(bound.op, [early, *others], bound.attrs)
        return relax.op.nn.relu(x)

    def _is_at_least_0(self, value: relax.Expr) -> bool:
        """Asked once of each value: a chain of t + t has 2^n ways back to its beginning."""
        if value not in self._at_least_0:
            self._at_least_0[value] = self._keeps_the_sign(value)
        return self._at_least_0[value]

    def _keeps_the_sign(self, value: relax.Expr) -> bool:
        if isinstance(value, tvm.ir.Constant):
            return bool((value.value.numpy() >= 0).all())
        bound = self._bound(value)
        if not is_call(bound, KEEP_THE_SIGN):
            return is_call(bound, (RELU,))
        operands = bound.args[0].fields if is_call(bound, (CONCAT,)) else bound.args
        tensors = [o for o in operands if isinstance(o, relax.Var | tvm.ir.Constant)]
        return all(self._is_at_least_0(operand) for operand in tensors)

    def _bound(self, value: relax.Expr) -> relax.Expr | None:
        """What computes `value`, through other names of it."""
        while isinstance(value, relax.Var):
            bound = self.lookup_binding(value)
            if not isinstance(bound, relax.Var):
                return bound
            value = bound
        return None
