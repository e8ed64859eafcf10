"""The kernels and operators of a `main`, run one at a time on this machine.

Each becomes a function of TVM's virtual machine: of a kernel's operands, constants included, or of
the variables that any other operator reads. Kernels of float32 give the bits here that they give
on AArch64, whatever core they are for: the same sums in the same order, of the same fused
multiply-adds (seen of two ShuffleNets on emulated A72 and N1, 2026-11-26).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from compile.quantise.expressions import KERNEL_CALLS, operator_of
from compile.virtual_machine import machine_here


class FloatSteps:
    """Those bindings of `main` whose variable is among `wanted`, compiled together."""

    def __init__(self, module: tvm.IRModule, wanted: Collection[relax.Var]) -> None:
        bound = {b.var: b.value for block in module["main"].body.blocks for b in block.bindings}
        self._values = {var: value for var, value in bound.items() if var in wanted}
        self._names = {
            var: _name(value, f"step{i}") for i, (var, value) in enumerate(self._values.items())
        }
        functions = {name: _function(name, self._values[var]) for var, name in self._names.items()}
        self._machine = _compiled(module, functions) if functions else None

    def has(self, var: relax.Var) -> bool:
        """Whether `run` computes `var`."""
        return var in self._values

    def operands(self, var: relax.Var) -> list[relax.Expr]:
        """What `run` is given values for, in order: variables and constants of the module."""
        return _operands(self._values[var])

    def run(self, var: relax.Var, values: Sequence[np.ndarray | tvm.runtime.Tensor]) -> np.ndarray:
        """What `var` is, of the `values` of its operands, of which no array is changed."""
        given = [tvm.runtime.tensor(v) if isinstance(v, np.ndarray) else v for v in values]
        return self._machine[self._names[var]](*given).numpy()


def _name(value: relax.Expr, otherwise: str) -> str:
    """Of its function, which calls of the same kernel have in common."""
    return f"{value.args[0].name_hint}_step" if operator_of(value) in KERNEL_CALLS else otherwise


def _operands(value: relax.Expr) -> list[relax.Expr]:
    if operator_of(value) in KERNEL_CALLS:
        return list(value.args[1].fields)
    return list(relax.analysis.free_vars(value))


def _function(name: str, value: relax.Expr) -> relax.Function:
    operands = _operands(value)
    parameters = [relax.Var(f"x{i}", operand.ty) for i, operand in enumerate(operands)]
    builder = relax.BlockBuilder()
    with builder.function(name, parameters):
        if operator_of(value) in KERNEL_CALLS:
            given = [value.args[0], relax.Tuple(parameters)]
            new = tvm.ir.Call(value.op, given, value.attrs, ty_args=list(value.ty_args))
        else:
            substituted = dict(zip(operands, parameters, strict=True))
            new = _Substituting(substituted).visit_expr(value)
        builder.emit_func_output(builder.emit(new))
    return builder.get()[name]


@mutator
class _Substituting(PyExprMutator):
    def __init__(self, given: dict[relax.Var, relax.Var]) -> None:
        super().__init__()
        self._given = given

    def visit_var_(self, var: relax.Var) -> relax.Expr:
        return self._given.get(var, var)

    def visit_dataflow_var_(self, var: relax.DataflowVar) -> relax.Expr:
        return self._given.get(var, var)


def _compiled(module: tvm.IRModule, functions: dict[str, relax.Function]) -> relax.VirtualMachine:
    kernels = {
        variable: function
        for variable, function in module.functions.items()
        if isinstance(function, tvm.tirx.PrimFunc)
    }
    named = {tvm.ir.GlobalVar(name): each for name, each in functions.items()}
    updated = relax.transform.DeadCodeElimination(list(functions))(tvm.IRModule(kernels | named))
    return machine_here(updated)
