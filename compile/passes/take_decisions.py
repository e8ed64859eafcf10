"""Kernels made again with the decisions of tuning records.

    call_tir(kernel, x, W packed for the default tile, b)
      ->  call_tir(kernel', x, W packed for the recorded tile, b)

After all other passes, when every workload is final. Weights are unpacked and packed again by what
the template does with the index of each. Left alone: kernels that no template made, workloads
without a record, and what a record says that the workload does not allow.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from compile.passes.rewriting import mutated_main
from compile.schedules.packing import WEIGHTS, repacked
from compile.schedules.templates import TEMPLATES, Workload, made_from

CALLS = ("relax.call_tir", "relax.call_tir_inplace")


@dataclasses.dataclass(frozen=True)
class Decision:
    """A tile, and where it comes from in the words of a build report."""

    tile: Any
    source: str


Decisions = Callable[[Workload], Decision | None]  # for any number of threads


def take_decisions(decisions: Decisions) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """The pass for `decisions`: Relax to Relax, main only."""

    def apply(module: tvm.IRModule) -> tvm.IRModule:
        return mutated_main(module, lambda copy: _Deciding(copy, decisions))

    return apply


@mutator
class _Deciding(PyExprMutator):
    def __init__(self, module: tvm.IRModule, decisions: Decisions) -> None:
        super().__init__(module)
        self._module = module
        self._decisions = decisions

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        if not (isinstance(call.op, tvm.ir.Op) and call.op.name in CALLS):
            return self.visit_expr_post_order(call)
        made = made_from(self._module[call.args[0]])
        decision = self._decisions(made.workload) if made else None
        if decision is None:
            return self.visit_expr_post_order(call)
        new = dataclasses.replace(made, tile=decision.tile)
        kernel = new.kernel().with_attr("schedule", decision.source)
        operands = [self.visit_expr(operand) for operand in call.args[1].fields]
        if TEMPLATES[made.template].pack_weights and len(kernel.params) > 2:
            weights = operands[WEIGHTS].value.numpy()
            operands[WEIGHTS] = relax.const(repacked(weights, made, new), str(weights.dtype))
        function = self.builder_.add_func(kernel, call.args[0].name_hint)
        return tvm.ir.Call(
            call.op, [function, relax.Tuple(operands)], call.attrs, ty_args=list(call.ty_args)
        )
