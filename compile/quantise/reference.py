"""What a network of int8 kernels must give, value for value, computed in another way.

Each kernel is computed by its definition in whole numbers (`kernel_reference`). So a build is
checked bit by bit, on any core.

Where kernels of float32 stand in between, these run as this machine computes them, and mostly to
the bit as the board does (`float_steps`). One bit of a float32 may make a value of int8 the next
one, and this others behind it, which is what `NEARLY_EXACT` allows for. The whole is held against
the network's own reference, too, by the tolerance of int8.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tvm
from tvm import relax

from compile.network import Network
from compile.quantise.expressions import KERNEL_CALLS, RESHAPE, extents_of, operator_of
from compile.quantise.float_steps import FloatSteps
from compile.quantise.int8_values import Values
from compile.quantise.kernel_reference import kernel_reference
from compile.schedules.templates import Made, made_from
from compile.verify import verify_outputs

INTEGERS, MIXED = "exact integers", "exact integers and float32 on this machine"
KEPT = "kept_float32"  # what a report calls layers that are not of int8
NEARLY_EXACT = 0.05  # of the output's range


def checked_by_integers(
    network: Network, module: tvm.IRModule, stated: Mapping[str, Any]
) -> Network:
    """`network` with the outputs that `module`, of int8 kernels, must have as its references.

    Where a kernel gives several tensors at once it keeps the references it has; what is `stated` of
    its calibration, and of layers kept in float32, becomes part of its provenance in any case.
    """
    network = dataclasses.replace(network, provenance=network.provenance | stated)
    others = _of_floats(module)
    if not all(isinstance(var.ty, relax.TensorType) for var in others):
        return network
    run = _Reference(module, others)

    def references(x: Values) -> list[Values]:
        outputs = zip(run(x), network.output_shapes, strict=True)
        results = [y.reshape(shape) for y, shape in outputs]
        if others:
            verify_outputs(
                results,
                network,
                network.references(x),
                level="the reference in int8",
                where="this machine",
                dtype="int8",
            )
        return results

    return dataclasses.replace(
        network,
        references=references,
        reference_name=MIXED if others else INTEGERS,
        tolerance=NEARLY_EXACT if others else 0.0,
    )


def _bindings(module: tvm.IRModule) -> list[tuple[relax.Var, relax.Expr]]:
    return [(b.var, b.value) for block in module["main"].body.blocks for b in block.bindings]


def _of_floats(module: tvm.IRModule) -> list[relax.Var]:
    """What kernels without a definition in integers make."""
    return [var for var, value in _bindings(module) if not _is_of_integers(value, module)]


def _is_of_integers(value: relax.Expr, module: tvm.IRModule) -> bool:
    if operator_of(value) in KERNEL_CALLS:
        made = made_from(module[value.args[0]])
        return made is not None and kernel_reference(made) is not None
    return operator_of(value) == RESHAPE or isinstance(value, relax.Var | relax.Tuple)


class _Reference:
    """From an input, float32, to the outputs of `main`."""

    def __init__(self, module: tvm.IRModule, of_floats: Sequence[relax.Var]) -> None:
        self._module, self._of_floats = module, of_floats

    def __call__(self, x: Values) -> list[Values]:
        main = self._module["main"]
        known: dict[relax.Var, Values] = {main.params[0]: x}

        def value_of(expression: relax.Expr) -> Values:
            if isinstance(expression, tvm.ir.Constant):
                return expression.value.numpy()
            return known[expression].reshape(extents_of(expression))

        for var, value in _bindings(self._module):
            if isinstance(value, relax.Tuple):
                known[var] = [value_of(each) for each in value.fields]
            elif isinstance(value, relax.Var):
                known[var] = known[value]
            elif operator_of(value) == RESHAPE:
                known[var] = value_of(value.args[0])
            elif var in self._of_floats:
                operands = [value_of(each) for each in self._steps.operands(var)]
                known[var] = self._steps.run(var, operands)
            else:
                made = made_from(self._module[value.args[0]])
                operands = [value_of(each) for each in value.args[1].fields]
                known[var] = _into_place(made, operands, extents_of(var))
        result = main.body.body
        values = (
            known[result] if isinstance(result, relax.Var) else [value_of(r) for r in result.fields]
        )
        return values if isinstance(values, list) else [values]

    @functools.cached_property
    def _steps(self) -> FloatSteps:
        return FloatSteps(self._module, self._of_floats)


def _into_place(made: Made, operands: list[Values], shape: tuple[int, ...]) -> Values:
    """The output of a kernel, of `shape`; of a half of a concat the other half as it was."""
    result = kernel_reference(made)(made, operands)
    total = getattr(made.workload, "stored_channels", 0)
    if not total:
        return result.reshape(shape)
    first = made.workload.first_channel
    result = result.reshape(made.workload.channels, -1)
    whole = np.zeros((total, result.shape[1]), np.int8)
    if first:  # the second half is written in place, over the last operand
        whole[:] = operands[-1].reshape(total, -1)
    whole[first : first + len(result)] = result
    return whole.reshape(shape)
