"""What is computed from constants alone becomes a constant.

    y = dense(x, permute_dims(W))   ->   y = dense(x, W')
    y = add(x, reshape(b))          ->   y = add(x, b')

Exporters leave such moves behind, which NumPy does here. What else there is is left to TVM's pass,
where there is any: it makes loops of every operator of a network to find constants, 0.4 of the
1.4 s that lowering ShuffleNet takes (Xeon, Emerald Rapids, 2026-11-27).
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from compile.passes.rewriting import CLEAN_BINDINGS, is_call, mutated_main, shape_of
from compile.passes.uses import Uses

RESHAPE, PERMUTE = "relax.reshape", "relax.permute_dims"


def fold_constants(module: tvm.IRModule) -> tvm.IRModule:
    """Relax to Relax, main only."""
    if _computes_constants(module):
        module = CLEAN_BINDINGS(mutated_main(module, _Moving))
    if _computes_constants(module):
        module = relax.transform.FoldConstant()(module)
    return module


def _computes_constants(module: tvm.IRModule) -> bool:
    """Whether an operator of `main` has no operand but constants."""
    calls = [each for each in Uses(module["main"]).bound.values() if isinstance(each, relax.Call)]
    return any(not relax.analysis.free_vars(call) for call in calls)


@mutator
class _Moving(PyExprMutator):
    def visit_call_(self, call: relax.Call) -> relax.Expr:
        given = self.visit_expr_post_order(call)
        if not is_call(given, (RESHAPE, PERMUTE)):
            return given
        moved = given.args[0]
        moved = self.lookup_binding(moved) if isinstance(moved, relax.Var) else moved
        if not isinstance(moved, tvm.ir.Constant):
            return given
        return relax.const(_values_of(given, moved, shape_of(call)), str(moved.ty.dtype))


def _values_of(move: relax.Call, moved: tvm.ir.Constant, shape: tuple[int, ...]) -> np.ndarray:
    values = moved.value.numpy()
    if is_call(move, (RESHAPE,)):
        return values.reshape(shape)
    order = None if move.attrs.axes is None else [int(axis) for axis in move.attrs.axes]
    return np.ascontiguousarray(values.transpose(order))
