"""What int8 costs by each layer alone, measured by kernels of float32 on rounded numbers.

A layer at a time is made int8, all else stays float32: the errors are those of one cause each, and
squares of them add up to what the whole network is off by. The other way round, all int8 but one
layer, a difference of two large errors is left, in which what most layers cost is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import tvm
from tvm import relax

from compile.kernels import list_kernels
from compile.network import Network
from compile.passes import CLEAN, before_int8
from compile.passes.int8_plan import Plan, make_plan
from compile.passes.rewriting import results_of
from compile.quantise.expressions import RESHAPE, extents_of, operator_of
from compile.quantise.float_steps import FloatSteps
from compile.quantise.inputs import Calibration
from compile.quantise.observe import observe
from compile.sensitivity.rounding import rounded_operands, rounded_values
from compile.sensitivity.table import LayerCost, Sensitivity
from compile.targets import CompileTarget

MOST_PICTURES = 50

Known = dict[relax.Var, np.ndarray]  # by the variable that others are reshapes of


def measure_sensitivity(
    network: Network, target: CompileTarget, calibration: Calibration, threads: int = 1
) -> Sensitivity:
    """The costs on up to `MOST_PICTURES` of the inputs of `calibration`, evenly spread.

    `target` and `threads` are those of the build: what is observed here, it need not observe again.
    """
    module = network.module
    with target.tvm:
        for apply in (*CLEAN, *before_int8(target.core, threads)):
            module = apply(module)
        plan = make_plan(module, observe(module, calibration), target.core)
        run = _Run(module, plan)
    found = {name: (_Errors(), _Errors()) for name in plan.layers}
    taken = _spread(calibration.inputs, MOST_PICTURES)
    for x in taken:
        known = run.everything(x)
        expected = run.results(known)
        for name, var in plan.layers.items():
            for errors, results in zip(found[name], run.with_int8(var, known), strict=True):
                errors.add(results, expected)
    readers = _readers(plan)
    layers = [_cost(name, plan, readers[name], *found[name]) for name in plan.layers]
    return Sensitivity(tuple(layers), len(taken), run.macs)


def _spread(inputs: Sequence[np.ndarray], count: int) -> tuple[np.ndarray, ...]:
    """At most `count` of `inputs`, evenly spread."""
    return tuple(inputs[:: -(-len(inputs) // count)])


@dataclass
class _Errors:
    """Of the results, by picture."""

    squares: list[float] = field(default_factory=list)
    changed: int = 0

    def add(self, results: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> None:
        pairs = list(zip(results, expected, strict=True))
        self.squares.append(float(np.mean([_square(y, wanted) for y, wanted in pairs])))
        self.changed += any(y.argmax() != wanted.argmax() for y, wanted in pairs)

    @property
    def error(self) -> float:
        return float(np.sqrt(np.mean(self.squares)))


def _square(y: np.ndarray, expected: np.ndarray) -> float:
    """The mean squared error, as a share of the range."""
    error = (y.astype(np.float64) - expected) / (np.ptp(expected) or 1.0)
    return float(np.mean(error**2))


def _cost(
    name: str, plan: Plan, readers: tuple[str, ...], weights: _Errors, output: _Errors
) -> LayerCost:
    workload = plan.steps[plan.layers[name]].made.workload
    of_weights, of_output = (weights.error, weights.changed), (output.error, output.changed)
    return LayerCost(name, _what(workload), workload.macs, readers, *of_weights, *of_output)


def _what(workload: object) -> str:
    """In a few words: channels, groups and pixels."""
    groups = getattr(workload, "groups", 1)
    inputs, outputs = workload.inputs * groups, workload.outputs * groups
    size = getattr(workload, "output_size", None)
    pixels = f"{size[0]}x{size[1]}" if size else f"{workload.pixels}"
    return f"{inputs} -> {outputs} channels, {groups} groups, {pixels} pixels"


def _readers(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Of each layer those that read what it gives, also through pools and concats."""
    named = {var: name for name, var in plan.layers.items()}
    sources: dict[relax.Var, set[str]] = {}
    readers: dict[str, list[str]] = {name: [] for name in plan.layers}
    for var, step in plan.steps.items():
        read = set().union(*(sources.get(plan.root(x), set()) for x in step.inputs))
        if var in named:
            for source in read:
                readers[source].append(named[var])
        sources[var] = {named[var]} if var in named else read
    return {name: tuple(of_layer) for name, of_layer in readers.items()}


@dataclass(frozen=True)
class _Operand:
    """Of a step: a tensor before it, of a shape of its own here, or a constant."""

    root: relax.Var | None
    shape: tuple[int, ...]
    constant: tvm.runtime.Tensor | None


class _Run:
    """The network in float32, step by step."""

    def __init__(self, module: tvm.IRModule, plan: Plan) -> None:
        main = module["main"]
        bound = [(b.var, b.value) for block in main.body.blocks for b in block.bindings]
        order = [var for var, value in bound if _computes(var, value)]
        self.macs = sum(kernel.macs * kernel.calls for kernel in list_kernels(module, ""))
        self._plan, self._picture = plan, main.params[0]
        self._results = [plan.root(result) for result in results_of(main)]
        self._steps = FloatSteps(module, order)
        self._order = {var: [_operand(x, plan) for x in self._steps.operands(var)] for var in order}

    def everything(self, x: np.ndarray) -> Known:
        """All tensors, of a picture."""
        known = {self._picture: x}
        for var in self._order:
            known[var] = self._steps.run(var, self._operands(var, known))
        return known

    def results(self, known: Known) -> list[np.ndarray]:
        """The outputs of the network among `known`."""
        return [known[result] for result in self._results]

    def with_int8(self, var: relax.Var, known: Known) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The results with the weights of the layer `var` rounded, and with its output rounded."""
        operands = [
            given.numpy() if isinstance(given, tvm.runtime.Tensor) else given
            for given in self._operands(var, known)
        ]
        changed = rounded_operands(self._plan.steps[var], self._plan, operands)
        of_weights = self._from(var, self._steps.run(var, changed), known)
        if var not in self._plan.quantisations:
            return of_weights, self.results(known)
        rounded = rounded_values(known[var], self._plan.of(var))
        return of_weights, self._from(var, rounded, known)

    def _from(self, var: relax.Var, value: np.ndarray, known: Known) -> list[np.ndarray]:
        """The results where `var` is `value`: what depends on it is computed again."""
        changed, now = {var}, known | {var: value}
        for later, operands in self._order.items():
            if any(operand.root in changed for operand in operands):
                now[later] = self._steps.run(later, self._operands(later, now))
                changed.add(later)
        return self.results(now)

    def _operands(self, var: relax.Var, known: Known) -> list[np.ndarray | tvm.runtime.Tensor]:
        return [
            each.constant if each.root is None else known[each.root].reshape(each.shape)
            for each in self._order[var]
        ]


def _computes(var: relax.Var, value: relax.Expr) -> bool:
    """Whether `value` is a tensor, and not one under another name."""
    is_tensor = isinstance(var.ty, relax.TensorType)
    return is_tensor and operator_of(value) != RESHAPE and not isinstance(value, relax.Var)


def _operand(x: relax.Expr, plan: Plan) -> _Operand:
    if isinstance(x, relax.Var):
        return _Operand(plan.root(x), extents_of(x), None)
    return _Operand(None, (), x.value)
