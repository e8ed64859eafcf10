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

from compile.passes.rewriting import constant, shape_of

CONV, POOL, ADD = (tvm.ir.Op.get(f"relax.{n}") for n in ("nn.conv2d", "nn.avg_pool2d", "add"))


def into_plain_forms(module: tvm.IRModule) -> tvm.IRModule:
    """Relax to Relax, main only."""
    updated = module.clone()
    updated["main"] = _Plain(updated).visit_expr(module["main"])
    return updated


@mutator
class _Plain(PyExprMutator):
    def __init__(self, module: tvm.IRModule) -> None:
        super().__init__(module)
        bindings = [b for block in module["main"].body.blocks for b in block.bindings]
        sums = [b.value for b in bindings if isinstance(b.value, tvm.ir.Call) and b.value.op == ADD]
        self._biased = {call.args[0] for call in sums if isinstance(call.args[1], tvm.ir.Constant)}

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        call = binding.value
        is_conv = isinstance(call, tvm.ir.Call) and call.op == CONV
        if not is_conv or binding.var in self._biased or not _has_constant_weights(call):
            super().visit_var_binding_(binding)
            return
        conv = self.builder_.emit(self.visit_expr(call))
        biased = relax.op.add(conv, constant(np.zeros((1, shape_of(call)[1], 1, 1))))
        is_inner = isinstance(binding.var, relax.DataflowVar)
        emit = self.builder_.emit if is_inner else self.builder_.emit_output
        self.set_var_remap(binding.var, emit(biased))

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        given = self.visit_expr_post_order(call)
        if given.op != POOL or any(int(width) for width in given.attrs.padding):
            return given
        window = tuple(int(extent) for extent in given.attrs.pool_size)
        if window != shape_of(call.args[0])[2:] or shape_of(call)[2:] != (1, 1):
            return given
        return relax.op.mean(given.args[0], (2, 3), keepdims=True)


def _has_constant_weights(conv: relax.Call) -> bool:
    return isinstance(conv.args[1], tvm.ir.Constant)
