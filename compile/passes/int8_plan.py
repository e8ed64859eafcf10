"""Which kernels of a network become int8, and how int8 stands for each of their tensors.

Every channel has a scale of its own, which is in the weights of what reads it. Channels that are
added, or that one kernel only selects from, have theirs in common: those of a shortcut and of the
sum, of a max pool's input and output, of a concat and its parts. A tensor that is read in a border,
or that ends at 0, has one zero for all of its channels.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import tvm
from tvm import relax

from compile.passes.int8_layers import LayerNames, chosen_layers
from compile.passes.int8_sums import real_sums
from compile.passes.rewriting import is_call, shape_of
from compile.quantise.observe import Range, channel_axis, tensors_of
from compile.quantise.scale import MOST_MULTIPLIER, Quantisation, quantisation_of, weight_scales
from compile.schedules import int8_depthwise, int8_stem
from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.templates import Made, made_from
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core
from model.errors import InputError

MOST_ROUNDS = 40  # of making scales larger, until every sum can be brought to its output's

KERNEL_CALL, CONCAT, RESHAPE = "relax.call_tir", "relax.concat", "relax.reshape"


class QuantisationError(InputError):
    """A network whose values int8 does not hold."""


@dataclass(frozen=True)
class Step:
    """A binding that int8 has a kernel for, or that moves values only."""

    kind: str  # pointwise, channelwise, mean, stem, max, dense, concat
    var: relax.Var
    call: relax.Call
    made: Made | None = None

    @property
    def inputs(self) -> list[relax.Expr]:
        """What is read that is not constant, the shortcut last."""
        if self.made is None:
            return list(self.call.args[0].fields)
        operands = self.call.args[1].fields
        return [x for x in operands if not isinstance(x, tvm.ir.Constant)]


@dataclass
class Plan:
    """The steps by their variable, and of every tensor that was `seen` to have which values the
    quantisation, by the variable that it is not a reshape of.

    `layers` has the variable of each layer by its name, those that are kept in float32 included.
    """

    steps: dict[relax.Var, Step]
    quantisations: dict[relax.Var, Quantisation]
    seen: dict[relax.Var, Range]
    roots: dict[relax.Var, relax.Var] = field(default_factory=dict)
    layers: dict[str, relax.Var] = field(default_factory=dict)

    def root(self, var: relax.Var) -> relax.Var:
        """What `var` is a reshape of, or itself."""
        return self.roots.get(var, var)

    def of(self, var: relax.Var) -> Quantisation:
        """How int8 stands for `var`."""
        return self.quantisations[self.root(var)]


def make_plan(
    module: tvm.IRModule, seen: Sequence[Range], core: Core, kept: Collection[str] = ()
) -> Plan:
    """The plan for `main`, all of planes, whose tensors have the ranges `seen`.

    The layers `kept`, as `chosen_layers` takes them, stay float32. Raises `QuantisationError` where
    no scales can be found, and `LayerNameError`.
    """
    plan = Plan({}, {}, dict(zip(tensors_of(module["main"]), seen, strict=True)))
    _find_steps(plan, module, core)
    if kept:
        _keep(plan, module, core, chosen_layers(kept, list(plan.layers)))
    slots = _Slots(plan)
    for _ in range(MOST_ROUNDS):
        plan.quantisations = slots.quantisations()
        if not slots.raise_scales(plan):
            return plan
    raise QuantisationError(
        "expected layers of which each can follow the scale of the one before, got weights that "
        "grow from layer to layer; build this network with --dtype float32 or float16"
    )


def _keep(plan: Plan, module: tvm.IRModule, core: Core, names: Collection[str]) -> None:
    """Finds the steps of `plan` again, without the layers `names` and what only moves theirs."""
    plan.steps.clear()
    _find_steps(plan, module, core, {plan.layers[name] for name in names})


def _find_steps(
    plan: Plan, module: tvm.IRModule, core: Core, kept: Collection[relax.Var] = ()
) -> None:
    main, names = module["main"], LayerNames()
    for block in main.body.blocks:
        for binding in block.bindings:
            value = binding.value
            if is_call(value, (RESHAPE,)) and isinstance(value.args[0], relax.Var):
                plan.roots[binding.var] = plan.root(value.args[0])
                continue
            made = made_from(module[value.args[0]]) if is_call(value, (KERNEL_CALL,)) else None
            step = _step(binding.var, value, made, plan, main.params[0], core)
            if step is None:
                continue
            name = names.next(step.kind)
            if name is not None:
                plan.layers[name] = binding.var
            if binding.var not in kept:
                plan.steps[binding.var] = step


def _step(
    var: relax.Var,
    value: relax.Expr,
    made: Made | None,
    plan: Plan,
    picture: relax.Var,
    core: Core,
) -> Step | None:
    if is_call(value, (CONCAT,)):
        parts = [plan.root(part) for part in value.args[0].fields]
        of_channels = int(value.attrs.axis) == 1 and all(isinstance(p, relax.Var) for p in parts)
        joins = of_channels and any(part in plan.steps for part in parts)
        return Step("concat", var, value) if joins else None
    kind = made and _kind(made.workload, core)
    if kind is None:
        return None
    x = plan.root(value.args[1].fields[0])
    if (kind == "stem") != (x == picture) or (kind == "max" and x not in plan.steps):
        return None
    return Step(kind, var, value, made)


def _kind(workload: object, core: Core) -> str | None:
    """What int8 makes of a kernel of float32; None where it has none for it."""
    if isinstance(workload, PointwiseWorkload):
        return "pointwise" if workload.layout == "planes" and not workload.floor else None
    if isinstance(workload, DenseWorkload):
        return "dense" if workload.layout == "planes" else None
    if not isinstance(workload, WindowWorkload) or workload.layout != "planes":
        return None
    if workload.kind == "max":
        return "max"
    if int8_depthwise.can_convolve(workload):
        return {"conv": "channelwise", "average": "mean"}.get(workload.kind)
    return "stem" if workload.kind == "conv" and int8_stem.can_convolve(workload, core) else None


class _Slots:
    """Which channels of which tensors share a scale: each has the number of its slot."""

    def __init__(self, plan: Plan) -> None:
        self._count = 0
        self._joined: list[int] = []
        self._slots: dict[relax.Var, np.ndarray] = {}
        self._common_zero: list[relax.Var] = []
        for step in plan.steps.values():
            self._add(plan, step)
        self._find_all()
        self._low, self._high = self._ranges(plan.seen)
        self._least = np.zeros(self._count)
        self._symmetric = self._find_symmetric()

    def quantisations(self) -> dict[relax.Var, Quantisation]:
        """Of every tensor that has slots."""
        every = quantisation_of(self._low, self._high, self._symmetric, self._least)
        return {var: every.taken(slots) for var, slots in self._slots.items()}

    def raise_scales(self, plan: Plan) -> bool:
        """Makes scales larger whose sums are too coarse; whether there were any."""
        raised = False
        for step in plan.steps.values():
            sums = real_sums(step, plan)
            if sums is None or step.var not in self._slots:
                continue
            scales = weight_scales(sums.weights * sums.inputs.scale, sums.bias, sums.output.scale)
            least = scales / MOST_MULTIPLIER
            short = least > sums.output.scale * (1 + 1e-9)
            slots = self._slots[step.var][sums.channels]
            np.maximum.at(self._least, slots[short], least[short] * (1 + 1e-6))
            raised = raised or bool(short.any())
        return raised

    def _add(self, plan: Plan, step: Step) -> None:
        inputs = [plan.root(x) for x in step.inputs]
        for x in inputs:
            if x not in self._slots:
                self._slots[x] = self._new(_channels(x))
        if step.kind == "concat":
            self._slots[step.var] = np.concatenate([self._slots[x] for x in inputs])
            return
        if step.kind == "dense":
            return
        if step.kind == "max":
            self._slots[step.var] = self._slots[inputs[0]]
            return
        self._slots[step.var] = self._new(step.made.workload.channels)
        if step.kind in ("channelwise", "mean", "stem"):
            self._common_zero.append(inputs[0])
        if step.made.workload.relu:
            self._common_zero.append(step.var)
        if len(inputs) == 2:
            for channel, slot in enumerate(self._slots[inputs[1]]):
                stored = step.made.workload.stored_channel(channel)
                self._joined[self._find(self._slots[step.var][stored])] = self._find(slot)

    def _new(self, channels: int) -> np.ndarray:
        slots = np.arange(self._count, self._count + channels)
        self._joined.extend(slots.tolist())
        self._count += channels
        return slots

    def _find(self, slot: int) -> int:
        while self._joined[slot] != slot:
            slot = self._joined[slot]
        return slot

    def _find_all(self) -> None:
        found = np.array([self._find(slot) for slot in range(self._count)], np.int64)
        self._slots = {var: found[slots] for var, slots in self._slots.items()}

    def _ranges(self, seen: dict[relax.Var, Range]) -> tuple[np.ndarray, np.ndarray]:
        low, high = np.zeros(self._count), np.zeros(self._count)
        for var, slots in self._slots.items():
            np.minimum.at(low, slots, seen[var].low)
            np.maximum.at(high, slots, seen[var].high)
        return low, high

    def _find_symmetric(self) -> np.ndarray:
        """Slots of tensors that need one zero and have negative values: it is 0."""
        symmetric = np.zeros(self._count, bool)
        while True:
            before = symmetric.sum()
            for var in self._common_zero:
                slots = self._slots[var]
                if symmetric[slots].any() or (self._low[slots] < 0).any():
                    symmetric[slots] = True
            if symmetric.sum() == before:
                return symmetric


def _channels(var: relax.Var) -> int:
    shape = shape_of(var)
    return shape[channel_axis(shape)]
