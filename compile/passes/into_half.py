"""Kernels, weights and activations in float16; a network's input and output stay float32.

    y = call_tir(window, x, W, b)                  # of the input: float32 up to its store
      ->  y = call_tir(window', x, W, b)
    z = call_tir(pointwise, y, W, b, shortcut)
      ->  z = call_tir(pointwise', y, half(W), half(b), shortcut)
    out = call_tir(dense, z, W, b)                 # the result of the network
      ->  out = call_tir(dense', z, half(W), half(b))       # converted behind its last sum

The kernels' templates are the same, for a workload of another `dtype` and with its default tile,
for which the weights are packed again. Before the passes that look at tiles. A template that has no
float16, and every operator that no template took, works on converted values: the former in float32,
the latter in float16. Raises `HalfRangeError` for a weight or bias that float16 does not hold.

What stays float32 was decided by errors of the logits, root mean square against float32 as a share
of their standard deviation (official 0.5x g3, 200 pictures, x86, products rounded; 2026-11-25):

    the stem in float16, too                                       1.37 %, 198 classes the same
    stem in float32, shortcut added last, dense in sums of 120     1.11 %, 198
    stem in float32, shortcut added first, dense in sums of 480    1.17 %, 199

Built is the second with the shortcut first, which takes 1.4 % fewer modelled cycles on N1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from compile.passes.rewriting import is_call, mutated_main, results_of
from compile.passes.uses import Uses
from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.packing import WEIGHTS, repacked
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.stem_pool_workload import StemPoolWorkload
from compile.schedules.templates import TEMPLATES, Made, Workload, made_by_default, made_from
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core, Dtype
from model.errors import InputError

HALF: Dtype = "float16"
FLOAT: Dtype = "float32"


class HalfRangeError(InputError):
    """A constant of the network that float16 does not hold."""


def into_half(core: Core, threads: int) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """The pass for `core`: Relax to Relax, main only; planes, nothing in place yet."""

    def apply(module: tvm.IRModule) -> tvm.IRModule:
        _check_range(module["main"])
        return mutated_main(module, lambda copy: _Halving(copy, core, threads))

    return apply


@mutator
class _Halving(PyExprMutator):
    def __init__(self, module: tvm.IRModule, core: Core, threads: int) -> None:
        super().__init__(module)
        self._module = module
        self._core, self._threads = core, threads
        self._only_returned = _only_returned(module["main"])
        self._makes_result = False

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        self._makes_result = binding.var in self._only_returned
        super().visit_var_binding_(binding)

    def visit_tuple_(self, results: relax.Tuple) -> relax.Expr:
        """What is returned; tuples of operands are not visited."""
        return relax.Tuple([self._as(self.visit_expr(x), FLOAT) for x in results.fields])

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        if is_call(call, ("relax.call_tir",)):
            return self._kernel(call, made_from(self._module[call.args[0]]))
        if is_call(call, ("relax.reshape",)):
            return self.visit_expr_post_order(call)
        operands = [self._operand(operand) for operand in call.args]
        value = tvm.ir.Call(call.op, operands, call.attrs)
        return self._as(self.builder_.emit(value), FLOAT) if self._makes_result else value

    def _kernel(self, call: relax.Call, made: Made) -> relax.Expr:
        """The call of the kernel that takes the place of the one of `made`."""
        given = [self.visit_expr(operand) for operand in call.args[1].fields]
        workload = _in_half(made.workload, _dtype(given[0]), result=self._makes_result)
        new = made
        if workload != made.workload:
            new = made_by_default(workload, self._core, self._threads)
            if TEMPLATES[made.template].pack_weights and len(given) > 1:
                packed = repacked(given[WEIGHTS].value.numpy(), made, new)
                given[WEIGHTS] = relax.const(packed, FLOAT)
        kernel = new.kernel()
        *parameters, output = kernel.params
        operands = [self._as(x, str(p.dtype)) for x, p in zip(given, parameters, strict=True)]
        shape = tuple(int(extent) for extent in output.shape)
        of = relax.TensorType(shape, str(output.dtype))
        function = self.builder_.add_func(kernel, call.args[0].name_hint)
        value = relax.call_tir(function, operands, of)
        wanted = FLOAT if self._makes_result else HALF
        return value if output.dtype == wanted else self._as(self.builder_.emit(value), wanted)

    def _operand(self, operand: relax.Expr) -> relax.Expr:
        """A tensor, or a tuple of them, in float16; shapes and the like as they are."""
        if isinstance(operand, relax.Tuple):
            return relax.Tuple([self._as(self.visit_expr(x), HALF) for x in operand.fields])
        operand = self.visit_expr(operand)
        return self._as(operand, HALF) if isinstance(operand.ty, relax.TensorType) else operand

    def _as(self, tensor: relax.Expr, dtype: str) -> relax.Expr:
        if _dtype(tensor) == dtype or _dtype(tensor) not in (HALF, FLOAT):
            return tensor
        if isinstance(tensor, tvm.ir.Constant):
            return relax.const(tensor.value.numpy().astype(dtype), dtype)
        return self.builder_.emit(relax.op.astype(tensor, dtype))


def _in_half(workload: Workload, given: Dtype, *, result: bool) -> Workload:
    """`workload` for an input of type `given`; itself where its template has no float16.

    A convolution of float32, of the network's input, stays one up to its store, and so does the
    stem with its pool whatever it is given.
    """
    stored = FLOAT if result else HALF
    if isinstance(workload, PointwiseWorkload):
        return dataclasses.replace(workload, dtype=HALF)
    if isinstance(workload, DenseWorkload):
        return dataclasses.replace(workload, dtype=HALF, result_dtype=stored)
    if isinstance(workload, StemPoolWorkload):
        return dataclasses.replace(workload, result_dtype=HALF)
    if isinstance(workload, WindowWorkload):
        dtype = given if workload.kind == "conv" else HALF
        return dataclasses.replace(workload, dtype=dtype, result_dtype=HALF)
    return workload


def _only_returned(main: relax.Function) -> set[relax.Var]:
    """The computed variables that are returned, maybe reshaped, and used by nothing else."""
    uses = Uses(main)
    found = set()
    for result in results_of(main):
        while is_call(uses.bound.get(result), ("relax.reshape",)) and uses.is_used_once(result):
            result = uses.bound[result].args[0]
        if result in uses.bound and uses.is_used_once(result):
            found.add(result)
    return found


def _check_range(main: relax.Function) -> None:
    """Raises `HalfRangeError` for a constant that is too large, before TVM is in between."""
    largest = float(np.finfo(HALF).max)
    constants: list[np.ndarray] = []

    def collect(node: relax.Expr) -> None:
        if isinstance(node, tvm.ir.Constant) and _dtype(node) == FLOAT:
            constants.append(node.value.numpy())

    relax.analysis.post_order_visit(main, collect)
    most = max((float(np.abs(values).max(initial=0)) for values in constants), default=0)
    if most > largest:
        raise HalfRangeError(
            f"a weight or bias of {most:.3g} is beyond float16, whose largest is {largest:.0f}; "
            "build this network with --dtype float32"
        )


def _dtype(tensor: relax.Expr) -> str:
    return str(tensor.ty.dtype) if isinstance(tensor.ty, relax.TensorType) else ""
