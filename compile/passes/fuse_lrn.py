"""Local response normalisation, as frameworks spell it out, becomes one kernel.

    squares = pad(multiply(x, x), channels by before and after)
    total = add(..add(slice(squares, 0..C), slice(squares, 1..C+1)).., slice(squares, n-1..))
    divide(x, power(add(multiply(total, alpha), k), 0.75))             ->  call_tir(lrn, x)

Matched backwards from the division, slice by slice, because the number of neighbours varies. Left
alone: another exponent than 0.75 (see the template), slices that do not step by one channel.
"""

from __future__ import annotations

from collections.abc import Callable

import tvm
from tvm import relax
from tvm.relax.dpl import DFPattern, is_const, is_op, wildcard

from compile.passes.rewriting import (
    Choices,
    Matched,
    Replace,
    call_kernel,
    in_layout,
    in_turn,
    shape_of,
)
from compile.schedules.lrn import EXPONENT, LrnWorkload


def fuse_lrn(choices: Choices) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """The pass for `choices`: Relax to Relax, main only."""

    def apply(module: tvm.IRModule) -> tvm.IRModule:
        most = sum(_calls(b.value, "strided_slice") for b in _bindings(module))
        return in_turn([_over(neighbours, choices) for neighbours in range(most, 0, -1)])(module)

    return apply


def _over(neighbours: int, choices: Choices) -> tuple[DFPattern, Replace]:
    """Fuses normalisations over exactly so many channels."""
    x, alpha, bias, exponent = wildcard(), is_const(), is_const(), is_const()
    padded = is_op("relax.nn.pad")(is_op("relax.multiply")(x, x))
    slices = [
        is_op("relax.strided_slice")(padded, *(wildcard() for _ in range(4)))
        for _ in range(neighbours)
    ]
    total = slices[0]
    for part in slices[1:]:
        total = is_op("relax.add")(total, part)
    scaled = is_op("relax.add")(is_op("relax.multiply")(total, alpha), bias)
    pattern = is_op("relax.divide")(x, is_op("relax.power")(scaled, exponent))

    def replace(builder: relax.BlockBuilder, matched: Matched) -> relax.Expr | None:
        shape = shape_of(matched[x])
        padding = [int(width) for width in matched[padded].attrs.pad_width]
        scalars = [matched[part].value.numpy() for part in (alpha, bias, exponent)]
        firsts = [_first_channel(matched[part], shape) for part in slices]
        if len(shape) != 4 or shape[0] != 1 or any(value.size != 1 for value in scalars):
            return None
        if firsts != list(range(neighbours)) or abs(float(scalars[2]) - EXPONENT) > 1e-6:
            return None
        before, behind = padding[2:4]
        after = neighbours - 1 - before
        if padding != [0, 0, before, behind, 0, 0, 0, 0] or not 0 <= after <= behind:
            return None
        workload = LrnWorkload(
            channels=shape[1],
            pixels=shape[2] * shape[3],
            before=before,
            after=after,
            alpha=float(scalars[0]),
            bias=float(scalars[1]),
            layout=choices.layout_of(shape[2:]),
        )
        operands = [in_layout(matched[x], workload.layout)]
        return call_kernel(builder, choices.make(workload), "lrn", operands, shape)

    return pattern, replace


def _first_channel(call: relax.Call, shape: tuple[int, ...]) -> int | None:
    """Where a slice of as many channels as `shape` has begins; None for any other slice."""
    _, *bounds = call.args
    axes, begin, end, strides = ([int(field.value) for field in part.fields] for part in bounds)
    if axes != [1] or strides != [1] or shape_of(call) != shape or end[0] - begin[0] != shape[1]:
        return None
    return begin[0]


def _bindings(module: tvm.IRModule) -> list[relax.Binding]:
    return [binding for block in module["main"].body.blocks for binding in block.bindings]


def _calls(value: relax.Expr, operator: str) -> bool:
    return isinstance(value, tvm.ir.Call) and value.op == tvm.ir.Op.get(f"relax.{operator}")
