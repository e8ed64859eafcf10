"""Folds what scales and shifts channels into the convolution before it, batch norms above all.

    y = batch_norm(conv2d(x, W), gamma, beta, mean, var)[0]   ->   y = add(conv2d(x, W'), b')
    y = batch_norm(add(conv2d(x, W), b), ...)[0]              ->   the same, b in b'
    y = add(multiply(add(conv2d(x, W), b), s), t)             ->   the same, Caffe's Scale
    W' = s * W,   b' = t + s * b,   s = gamma / sqrt(var + epsilon),   t = beta - s * mean

Computed in float64 with NumPy: TVM's own FoldBatchnormToConv2D does not see through a bias, and
leaves the arithmetic to FoldConstant, which compiles a kernel for each operation (13.2 s instead of
0.7 s to lower ShuffleNet 1x g3, 2026-11-23). Left alone: what follows no convolution, or one whose
result is used elsewhere, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from compile.passes.rewriting import constant, is_call, mutated_main, shape_of
from compile.passes.uses import Uses

NORM, CONV, ADD = "relax.nn.batch_norm", "relax.nn.conv2d", "relax.add"
COMMUTATIVE = (ADD, "relax.multiply")
AFFINE = (*COMMUTATIVE, "relax.subtract", "relax.divide")


def fold_batch_norm(module: tvm.IRModule) -> tvm.IRModule:
    """Relax to Relax, main only."""
    return mutated_main(module, _Folding)


@dataclass(frozen=True)
class _Biased:
    """A convolution with constant weights, and the bias (channels,) behind it."""

    call: relax.Call
    bias: np.ndarray


@mutator
class _Folding(PyExprMutator):
    """In order of the bindings; what is overtaken becomes dead code."""

    def __init__(self, module: tvm.IRModule) -> None:
        super().__init__(module)
        self._uses = Uses(module["main"])
        self._shared: set[relax.Var] = set()

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        super().visit_var_binding_(binding)
        if not self._uses.is_used_once(binding.var):
            self._shared.add(self.visit_expr(binding.var))

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        given = self.visit_expr_post_order(call)
        if not is_call(given, AFFINE):
            return given
        x, other = given.args
        if isinstance(x, tvm.ir.Constant) and given.op.name in COMMUTATIVE:
            x, other = other, x
        conv = self._biased(x)
        values = _per_channel(other, conv) if conv else None
        if values is None:
            return given
        one, zero = np.ones_like(values), np.zeros_like(values)
        scale, shift = {
            "relax.add": (one, values),
            "relax.subtract": (one, -values),
            "relax.multiply": (values, zero),
            "relax.divide": (one / values, zero),
        }[given.op.name]
        return self._folded(conv, scale, shift)

    def visit_tuple_getitem_(self, item: relax.TupleGetItem) -> relax.Expr:
        given = self.visit_expr_post_order(item)
        norm = self._bound(given.tuple_value)
        if given.index != 0 or not is_call(norm, (NORM,)):
            return given
        x, *statistics = norm.args
        conv, attrs = self._biased(x), norm.attrs
        constants = all(isinstance(part, tvm.ir.Constant) for part in statistics)
        if conv is None or not constants or int(attrs.axis) != 1 or attrs.training:
            return given
        gamma, beta, mean, var = (_values(part) for part in statistics)
        scale = gamma / np.sqrt(var + float(attrs.epsilon))
        return self._folded(conv, scale, beta - scale * mean)

    def _folded(self, conv: _Biased, scale: np.ndarray, shift: np.ndarray) -> relax.Expr:
        x, weights = conv.call.args
        scaled = constant(_values(weights) * scale[:, None, None, None])
        call = tvm.ir.Call(conv.call.op, [x, scaled], conv.call.attrs)
        bias = shift + scale * conv.bias
        return relax.op.add(self.builder_.emit(call), constant(bias[None, :, None, None]))

    def _biased(self, x: relax.Expr) -> _Biased | None:
        """The convolution that makes `x`, which nobody else uses."""
        bound = None if x in self._shared else self._bound(x)
        if is_call(bound, (CONV,)) and isinstance(bound.args[1], tvm.ir.Constant):
            return _Biased(bound, np.zeros(shape_of(bound.args[1])[0]))
        if not is_call(bound, (ADD,)):
            return None
        before, bias = bound.args
        conv = self._biased(before) if self._is_convolution(before) else None
        values = _per_channel(bias, conv) if conv else None
        return None if values is None else _Biased(conv.call, values)

    def _is_convolution(self, x: relax.Expr) -> bool:
        return is_call(self._bound(x), (CONV,))

    def _bound(self, value: relax.Expr) -> relax.Expr | None:
        return self.lookup_binding(value) if isinstance(value, relax.Var) else None


def _per_channel(other: relax.Expr, conv: _Biased) -> np.ndarray | None:
    """`other` as a value for each output channel of `conv`; None where it is something else."""
    if not isinstance(other, tvm.ir.Constant):
        return None
    channels = shape_of(conv.call.args[1])[0]
    values = _values(other)
    if values.size == 1:
        return np.full(channels, values.item())
    shape = (1,) * (4 - values.ndim) + values.shape
    return values.reshape(-1) if shape == (1, channels, 1, 1) else None


def _values(tensor: tvm.ir.Constant) -> np.ndarray:
    return tensor.value.numpy().astype(np.float64)
