"""Kernels write where their result has to be: halves of a concat, and over a shortcut.

    a = call_tir(f, x); b = call_tir(g, y); c = concat(a, b)
      ->  c0 = call_tir(f', x)                     # of c's shape; f' writes the first channels
          c = call_tir_inplace(g', y, c0)          # g' writes the others
    y = call_tir(pointwise, x, W, b, shortcut)     # the last use of shortcut
      ->  y = call_tir_inplace(pointwise', x, W, b, shortcut)

f', g' and pointwise' are the same templates for a changed workload. Left alone: a half that is used
elsewhere, too, or that no template made; a shortcut that is used later, or whose tile overlaps
another (see `runs_in_place`). What `main` returns is used behind everything else: no output is ever
overwritten.
"""

from __future__ import annotations

import dataclasses

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from compile.passes.rewriting import is_call, mutated_main, results_of
from compile.passes.uses import Uses
from compile.schedules.templates import Convolution, Made, made_from, runs_in_place

CALL, CALL_IN_PLACE, RESHAPE = ("relax.call_tir",), ("relax.call_tir_inplace",), ("relax.reshape",)
CHANNEL_AXIS = {"planes": 1, "channels": 3}


def write_in_place(module: tvm.IRModule) -> tvm.IRModule:
    """Relax to Relax, main only; after layout changes were cancelled."""
    return mutated_main(mutated_main(module, _Concats), _Shortcuts)


@dataclasses.dataclass(frozen=True)
class _Producer:
    """A call of a template's kernel."""

    call: relax.Call
    made: Made


class _InPlace(PyExprMutator):
    """What both rewritings know of the given `main`."""

    def __init__(self, module: tvm.IRModule) -> None:
        super().__init__(module)
        self._module = module
        main = module["main"]
        self._uses = Uses(main)
        bindings = self._uses.bindings
        self._positions = {binding.var: index for index, binding in enumerate(bindings)}
        self._last_use = {
            self._storage(variable): index
            for index, binding in enumerate(bindings)
            for variable in relax.analysis.free_vars(binding.value)
        }
        results = [result for result in results_of(main) if isinstance(result, relax.Var)]
        self._last_use |= {self._storage(result): len(bindings) for result in results}

    def _storage(self, variable: relax.Var) -> relax.Var:
        """The variable whose memory `variable` shares: reshapes and calls in place make no own."""
        value = self._uses.bound.get(variable)
        if is_call(value, RESHAPE):
            return self._storage(value.args[0])
        if is_call(value, CALL_IN_PLACE):
            return self._storage(value.args[1].fields[-1])
        return variable

    def _producer(self, variable: relax.Var) -> _Producer | None:
        """The template's call that `variable` is the result of, through reshapes."""
        value = self._uses.bound.get(variable)
        while is_call(value, RESHAPE):
            value = self._uses.bound.get(value.args[0])
        if not is_call(value, CALL):
            return None
        made = made_from(self._module[value.args[0]])
        return None if made is None else _Producer(value, made)

    def _is_used_once(self, variable: relax.Var) -> bool:
        """Whether neither `variable` nor what it is a reshape of is used elsewhere."""
        value = self._uses.bound.get(variable)
        if not self._uses.is_used_once(variable):
            return False
        return not is_call(value, RESHAPE) or self._is_used_once(value.args[0])

    def _call(self, made: Made, name: str, operands: list[relax.Expr]) -> relax.Call:
        """`made` on `operands`, of which the last is its output where they are complete."""
        kernel = made.kernel()
        last = kernel.params[-1]
        output = tuple(int(extent) for extent in last.shape)
        function = self.builder_.add_func(kernel, name)
        result = relax.TensorType(output, str(last.dtype))
        if len(operands) == len(kernel.params):
            *given, target = operands
            target = self.builder_.emit(relax.op.reshape(target, output))
            return relax.op.call_tir_inplace(function, [*given, target], [len(given)], result)
        return relax.call_tir(function, operands, result)


@mutator
class _Concats(_InPlace):
    """Both halves of a concat into one tensor."""

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        if not is_call(call, ("relax.concat",)):
            return self.visit_expr_post_order(call)
        halves = [self._producer(part) for part in call.args[0].fields]
        if not self._can_be_joined(call, halves):
            return self.visit_expr_post_order(call)
        total = sum(half.made.workload.channels for half in halves)
        joined: list[relax.Expr] = []
        first = 0
        for half in halves:
            workload = dataclasses.replace(
                half.made.workload, first_channel=first, stored_channels=total
            )
            operands = [self.visit_expr(operand) for operand in half.call.args[1].fields]
            made = dataclasses.replace(half.made, workload=workload)
            name = f"{half.call.args[0].name_hint}_joined"
            joined = [self.builder_.emit(self._call(made, name, [*operands, *joined]))]
            first += workload.channels
        return relax.op.reshape(joined[0], call.ty.shape)

    def _can_be_joined(self, call: relax.Call, halves: list[_Producer | None]) -> bool:
        if not all(half and isinstance(half.made.workload, Convolution) for half in halves):
            return False
        layouts = {half.made.workload.output_layout for half in halves}
        if len(layouts) != 1 or int(call.attrs.axis) != CHANNEL_AXIS[layouts.pop()]:
            return False
        whole = all(not half.made.workload.stored_channels for half in halves)
        return whole and all(self._is_used_once(part) for part in call.args[0].fields)


@mutator
class _Shortcuts(_InPlace):
    """The sum with a shortcut over the shortcut, at its last use."""

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        self._position = self._positions[binding.var]
        super().visit_var_binding_(binding)

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        made = made_from(self._module[call.args[0]]) if is_call(call, CALL) else None
        if made is None or not self._can_be_in_place(call, made):
            return self.visit_expr_post_order(call)
        in_place = dataclasses.replace(
            made, workload=dataclasses.replace(made.workload, in_place=True)
        )
        operands = [self.visit_expr(operand) for operand in call.args[1].fields]
        operands.append(operands.pop(made.workload.shortcut_operand))
        return self._call(in_place, f"{call.args[0].name_hint}_in_place", operands)

    def _can_be_in_place(self, call: relax.Call, made: Made) -> bool:
        if not runs_in_place(made):
            return False
        storage = self._storage(call.args[1].fields[made.workload.shortcut_operand])
        shared_with_input = storage == self._storage(call.args[1].fields[0])
        is_computed = storage in self._uses.bound
        return is_computed and not shared_with_input and self._last_use[storage] == self._position
