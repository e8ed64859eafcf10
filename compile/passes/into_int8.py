"""Kernels, weights and activations in int8; a network's input and output stay float32.

    y = call_tir(pointwise, x, W, b, shortcut)  ->  call_tir(int8_pointwise, x, W', b', M, shortcut)
    y = call_tir(window, x, W, b)               ->  call_tir(int8_depthwise, x, W', b', M)
    y = call_tir(window, picture, W, b)         ->  call_tir(int8_stem, picture, W', b', M)
    y = call_tir(average pool, x)               ->  call_tir(int8_depthwise, x, shares, b', M)
    y = call_tir(max pool, x)                   ->  call_tir(the same of int8, x)
    out = call_tir(dense, x, W, b)              ->  call_tir(int8_dense, x, W', b', S, C, M)

W', b' and the multipliers M come of the scales of a plan (`compile/quantise`), made of what the
float32 kernels compute on calibration inputs. After all kernels are there, before any is in place.
Everything else, and layers that are to stay float32, works on values that are converted before and
behind it, by a kernel each time.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection

import numpy as np
import tvm
from tvm import relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator

from compile.passes.int8_plan import Plan, Step, make_plan
from compile.passes.int8_sums import Sums, pooled, real_sums
from compile.passes.rewriting import is_call, mutated_main, reshaped_to, results_of, shape_of
from compile.quantise.float_steps import FloatSteps
from compile.quantise.inputs import Calibration
from compile.quantise.observe import observe
from compile.quantise.rehearsal import Rehearsal
from compile.quantise.scale import (
    Means,
    Requantisation,
    dense_integers,
    requantisation,
)
from compile.schedules.int8_conversion import ConversionWorkload
from compile.schedules.int8_head import padded_inputs, padded_outputs
from compile.schedules.int8_lanes import LOWEST
from compile.schedules.int8_workloads import (
    INT8,
    Int8DenseWorkload,
    Int8PointwiseWorkload,
    Int8WindowWorkload,
)
from compile.schedules.packing import WEIGHTS, unpacked
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.templates import Made, made_by_default
from deploy_rpc.cores import Core

FLOAT = "float32"
CONVERSIONS = (f"{FLOAT}_to_{INT8}", f"{INT8}_to_{FLOAT}")  # what names of such kernels begin with


def into_int8(
    core: Core, threads: int, calibration: Calibration, kept: Collection[str] = ()
) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """The pass for `core`: Relax to Relax, main only; planes, nothing in place yet.

    The layers `kept`, by their names or spans of them (`int8_layers`), stay float32.
    """

    def apply(module: tvm.IRModule) -> tvm.IRModule:
        plan = make_plan(module, observe(module, calibration), core, kept)
        rehearsal = Rehearsal(module["main"].params[0], calibration, plan.of)
        others = FloatSteps(module, _others(module, plan) if calibration.rehearsed else ())
        return mutated_main(
            module, lambda copy: _Quantising(copy, plan, rehearsal, others, core, threads)
        )

    return apply


def _others(module: tvm.IRModule, plan: Plan) -> list[relax.Var]:
    """What is computed in float32, one tensor each."""
    every = [b.var for block in module["main"].body.blocks for b in block.bindings]
    return [
        var
        for var in every
        if isinstance(var.ty, relax.TensorType) and var not in plan.steps and var not in plan.roots
    ]


@mutator
class _Quantising(PyExprMutator):
    def __init__(
        self,
        module: tvm.IRModule,
        plan: Plan,
        rehearsal: Rehearsal,
        others: FloatSteps,
        core: Core,
        threads: int,
    ) -> None:
        super().__init__(module)
        self._plan, self._rehearsal, self._others = plan, rehearsal, others
        self._conversions: dict[tuple[relax.Var, str], relax.Var] = {}
        self._core, self._threads = core, threads
        results = results_of(module["main"])
        self._result = results[0] if len(results) == 1 else None
        self._step: Step | None = None
        self._bound: relax.Var | None = None

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        self._step, self._bound = self._plan.steps.get(binding.var), binding.var
        super().visit_var_binding_(binding)

    def visit_tuple_(self, results: relax.Tuple) -> relax.Expr:
        """What is returned; tuples of operands are not visited."""
        return relax.Tuple([self._as_float(x) for x in results.fields])

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        value = self._value(call)
        if self._bound != self._result:
            return value
        return self._converted(self.builder_.emit(value), self._result)

    def _value(self, call: relax.Call) -> relax.Expr:
        if is_call(call, ("relax.reshape",)):
            return self.visit_expr_post_order(call)
        if self._step is not None:
            return self._in_int8(self._step)
        if self._others.has(self._bound):
            self._rehearsal.run_float(self._bound, self._others, self._plan.root)
        operands = [self._float_operand(operand) for operand in call.args]
        return tvm.ir.Call(call.op, operands, call.attrs, ty_args=list(call.ty_args))

    def _in_int8(self, step: Step) -> relax.Expr:
        others = {"max": self._max, "concat": self._concat, "dense": self._dense}
        return others.get(step.kind, self._convolution)(step)

    def _convolution(self, step: Step) -> relax.Expr:
        sums = real_sums(step, self._plan)
        x, *shortcut = step.inputs
        integers = requantisation(
            sums.weights,
            sums.bias,
            sums.inputs,
            sums.output,
            self._means(x, sums.sources),
            adds_zero=not shortcut,
            one_weight=step.kind == "mean",
        )
        workload = self._workload(step, sums, integers)
        made = made_by_default(workload, self._core, self._threads)
        shape = _weights_shape(workload)
        weights = made.packed(integers.weights[: shape[0]].reshape(shape))
        constants = (weights, integers.bias, integers.multipliers)
        return self._call(step, made, [x, *constants, *shortcut])

    def _means(self, x: relax.Var, sources: np.ndarray) -> Means:
        """Of the inputs of sums, which are channels of `x`."""
        root, of = self._plan.root(x), self._plan.of(x)
        real = self._plan.seen[root].mean
        steps = self._rehearsal.mean(root)
        return Means(real[sources], (real / of.scale if steps is None else steps)[sources])

    def _workload(
        self, step: Step, sums: Sums, integers: Requantisation
    ) -> Int8PointwiseWorkload | Int8WindowWorkload:
        old = step.made.workload
        lowest = int(sums.output.zero.max()) if old.relu else LOWEST
        fields = dataclasses.asdict(old) | {"dtype": INT8, "lowest": lowest, "bias": True}
        fields |= {"shift": integers.shift, "narrow": integers.narrow}
        if isinstance(old, PointwiseWorkload):
            return Int8PointwiseWorkload(**fields)
        read = self._plan.of(step.inputs[0])
        fields |= {"result_dtype": INT8, "zero": int(read.zero.max())}
        if step.kind == "stem":
            fields["picture_scale"], _ = read.of_picture
        return Int8WindowWorkload(**fields)

    def _max(self, step: Step) -> relax.Expr:
        workload = dataclasses.replace(step.made.workload, dtype=INT8, result_dtype=INT8)
        made = made_by_default(workload, self._core, self._threads)
        return self._call(step, made, [step.inputs[0]])

    def _concat(self, step: Step) -> relax.Expr:
        self._rehearsal.join(step.var, [self._plan.root(part) for part in step.inputs])
        return relax.op.concat([self._as_int8(x) for x in step.inputs], axis=1)

    def _dense(self, step: Step) -> relax.Expr:
        old, (x,) = step.made.workload, step.inputs
        read = self._plan.of(x).taken(np.arange(old.inputs))
        seen = self._plan.seen[self._plan.root(x)]
        inputs, pool = pooled(read, seen, old.pixels)
        own = {"dtype": INT8, "shift": pool.shift if pool else 1, "weight_bits": 32}
        workload = Int8DenseWorkload(**(dataclasses.asdict(old) | own))
        made = made_by_default(workload, self._core, self._threads)
        operands = step.call.args[1].fields
        real = unpacked(operands[WEIGHTS].value.numpy(), step.made).astype(np.float64)
        bias = operands[WEIGHTS + 1].value.numpy().astype(np.float64)
        of_inputs = self._means(x, np.arange(old.inputs))
        steps = of_inputs.steps * read.scale / inputs.scale
        weights, integer_bias, scales = dense_integers(
            real, bias, inputs, Means(of_inputs.real, steps)
        )
        padded = padded_outputs(made.workload, made.tile)
        given = [x, made.packed(weights), _padded(integer_bias, padded), _padded(scales, padded)]
        if pool:
            for each in (pool.bias, pool.multipliers):
                given.append(_padded(each, padded_inputs(made.workload)))
        return self._call(step, made, given)

    def _call(self, step: Step, made: Made, given: list[relax.Var | np.ndarray]) -> relax.Expr:
        """The kernel's call on variables of the old module and constants, of the shape that the one
        in its place had.
        """
        roots = [self._plan.root(x) if isinstance(x, relax.Var) else x for x in given]
        self._rehearsal.run(step.var, made, roots)
        kernel = made.kernel()
        *parameters, output = kernel.params
        operands = [
            reshaped_to(self._operand(x, parameter), tuple(int(n) for n in parameter.shape))
            for x, parameter in zip(given, parameters, strict=True)
        ]
        shape = tuple(int(extent) for extent in output.shape)
        of = relax.TensorType(shape, str(output.dtype))
        function = self.builder_.add_func(kernel, f"int8_{step.call.args[0].name_hint}")
        value = relax.call_tir(function, operands, of)
        wanted = shape_of(step.var)
        return value if shape == wanted else relax.op.reshape(self.builder_.emit(value), wanted)

    def _operand(self, given: relax.Var | np.ndarray, parameter: tirx.Buffer) -> relax.Expr:
        if isinstance(given, np.ndarray):
            return relax.const(given)
        return self._as_int8(given) if parameter.dtype == INT8 else self.visit_expr(given)

    def _float_operand(self, operand: relax.Expr) -> relax.Expr:
        if isinstance(operand, relax.Tuple):
            return relax.Tuple([self._as_float(x) for x in operand.fields])
        if isinstance(operand, relax.Var) and isinstance(operand.ty, relax.TensorType):
            return self._as_float(operand)
        return self.visit_expr(operand)

    def _as_float(self, original: relax.Expr) -> relax.Expr:
        return self._converted(self.visit_expr(original), original)

    def _converted(self, value: relax.Expr, original: relax.Expr) -> relax.Expr:
        """`value`, which stands for `original`, as float32."""
        if not isinstance(value, relax.Var) or str(value.ty.dtype) != INT8:
            return value
        return self._conversion(value, original, FLOAT)

    def _as_int8(self, original: relax.Expr) -> relax.Expr:
        value = self.visit_expr(original)
        return value if str(value.ty.dtype) == INT8 else self._conversion(value, original, INT8)

    def _conversion(self, value: relax.Var, original: relax.Var, into: str) -> relax.Var:
        """`value`, which stands for `original`, in another number format; converted once."""
        of, root, shape = self._plan.of(original), self._plan.root(original), shape_of(value)
        matrix = len(of.scale), math.prod(shape) // len(of.scale)
        if (root, into) not in self._conversions:
            workload = ConversionWorkload(*matrix, into)
            kernel = made_by_default(workload, self._core, self._threads).kernel()
            function = self.builder_.add_func(kernel, f"{workload.given}_to_{into}")
            constants = of.rounding if into == INT8 else of.restoring
            operands = [reshaped_to(value, matrix), *map(relax.const, constants)]
            result = relax.call_tir(function, operands, relax.TensorType(matrix, into))
            self._conversions[root, into] = self.builder_.emit(result)
        converted = self._conversions[root, into]
        return converted if shape == matrix else self.builder_.emit(reshaped_to(converted, shape))


def _weights_shape(
    workload: Int8PointwiseWorkload | Int8WindowWorkload,
) -> tuple[int, int, int, int]:
    if isinstance(workload, Int8WindowWorkload):
        return workload.weights_shape
    return workload.channels, workload.inputs, 1, 1


def _padded(values: np.ndarray, count: int) -> np.ndarray:
    return np.pad(values, (0, count - len(values)))
