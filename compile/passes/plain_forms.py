"""Two forms that fusing counts on: a bias behind every convolution, a mean for a whole pool.

    conv2d(x, W)                             ->   add(conv2d(x, W), 0)
    avg_pool2d(x, pool_size=(H, W))          ->   mean(x, (2, 3), keepdims)

A convolution without a bias is rare once batch norms are folded; one form of each kernel is enough.
Left alone: weights that vary, pools with a padding.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from compile.passes.rewriting import constant, is_call, mutated_main, shape_of
from compile.passes.uses import Uses

CONV, POOL, ADD = "relax.nn.conv2d", "relax.nn.avg_pool2d", "relax.add"


def into_plain_forms(module: tvm.IRModule) -> tvm.IRModule:
    """Relax to Relax, main only."""
    return mutated_main(module, _Plain)


@mutator
class _Plain(PyExprMutator):
    def __init__(self, module: tvm.IRModule) -> None:
        super().__init__(module)
        values = Uses(module["main"]).bound.values()
        sums = [value for value in values if is_call(value, (ADD,))]
        self._biased = {call.args[0] for call in sums if isinstance(call.args[1], tvm.ir.Constant)}

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        call = binding.value
        if (
            not is_call(call, (CONV,))
            or binding.var in self._biased
            or not _has_constant_weights(call)
        ):
            super().visit_var_binding_(binding)
            return
        conv = self.builder_.emit(self.visit_expr(call))
        biased = relax.op.add(conv, constant(np.zeros((1, shape_of(call)[1], 1, 1))))
        is_inner = isinstance(binding.var, relax.DataflowVar)
        emit = self.builder_.emit if is_inner else self.builder_.emit_output
        self.set_var_remap(binding.var, emit(biased))

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        given = self.visit_expr_post_order(call)
        if not is_call(given, (POOL,)) or any(int(width) for width in given.attrs.padding):
            return given
        window = tuple(int(extent) for extent in given.attrs.pool_size)
        if window != shape_of(call.args[0])[2:] or shape_of(call)[2:] != (1, 1):
            return given
        return relax.op.mean(given.args[0], (2, 3), keepdims=True)


def _has_constant_weights(conv: relax.Call) -> bool:
    return isinstance(conv.args[1], tvm.ir.Constant)
