"""What the fusing passes share: replacing matches in `main` by calls of our own kernels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax
from tvm.relax.dpl import DFPattern, rewrite_call
from tvm.relax.expr_functor import PyExprMutator

from compile.schedules.layouts import Layout
from compile.schedules.templates import Made, Workload, made_by_default
from deploy_rpc.cores import Core

Matched = dict[DFPattern, relax.Expr]
Replace = Callable[[relax.BlockBuilder, Matched], relax.Expr | None]
Layouts = Callable[[tuple[int, int]], Layout]

TO_CHANNELS = (0, 2, 3, 1)  # of permute_dims: NCHW to NHWC
TO_PLANES = (0, 3, 1, 2)
CLEAN_BINDINGS = tvm.ir.transform.Sequential(  # no second names, constants in place, no dead code
    [relax.transform.CanonicalizeBindings(), relax.transform.DeadCodeElimination()]
)


@dataclass(frozen=True)
class Choices:
    """What kernels are made for: the core, the threads, and a layout for each (rows, columns).

    Unless `fused`, every operator is a kernel of its own. Without `stem` a first convolution and
    its max pool are two in any case.
    """

    core: Core
    threads: int
    layout_of: Layouts
    fused: bool = True
    stem: bool = True

    def make(self, workload: Workload) -> Made:
        """The template's kernel of `workload`, decided by default."""
        return made_by_default(workload, self.core, self.threads)


def rewrite_main(module: tvm.IRModule, pattern: DFPattern, replace: Replace) -> tvm.IRModule:
    """`module` with every match of `pattern` in `main` replaced; None from `replace` keeps it."""
    builder = relax.BlockBuilder(module)

    def rewrite(original: relax.Expr, matched: Matched) -> relax.Expr:
        replaced = replace(builder, matched)
        return original if replaced is None else replaced

    main = rewrite_call(pattern, rewrite, module["main"])
    builder.update_func(module.get_global_var("main"), main)
    return builder.get()


def in_turn(
    rewrites: Sequence[tuple[DFPattern, Replace]],
) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """The pass that does each of `rewrites` to `main`, without the dead code that they leave.

    What one takes, the next ones no longer see.
    """

    def apply(module: tvm.IRModule) -> tvm.IRModule:
        for pattern, replace in rewrites:
            module = rewrite_main(module, pattern, replace)
        return relax.transform.DeadCodeElimination()(module)

    return apply


def mutated_main(
    module: tvm.IRModule, mutator_of: Callable[[tvm.IRModule], PyExprMutator]
) -> tvm.IRModule:
    """`module` with `main` as the mutator made for a copy of it has it, without dead code.

    The mutator sees no second names (v = w), which passes leave where a value is there already. It
    may add functions.
    """
    updated = relax.transform.CanonicalizeBindings()(module.clone())
    rewriter = mutator_of(updated)
    main = rewriter.visit_expr(updated["main"])
    updated = rewriter.builder_.get()
    updated.update_func(updated.get_global_var("main"), main)
    return relax.transform.DeadCodeElimination()(updated)


def call_kernel(
    builder: relax.BlockBuilder,
    made: Made,
    name: str,
    operands: list[relax.Expr],
    nchw_shape: tuple[int, ...],
) -> relax.Expr:
    """A call of a kernel whose last parameter is the output; the result is NCHW.

    Operands are in the kernel's layout. They are reshaped to its own shapes, which costs nothing.
    """
    kernel = made.kernel()
    *given, result = (tuple(int(extent) for extent in p.shape) for p in kernel.params)
    reshaped = [reshaped_to(x, shape) for x, shape in zip(operands, given, strict=True)]
    function = builder.add_func(kernel, name)
    call = relax.call_tir(function, reshaped, relax.TensorType(result, "float32"))
    return from_layout(call, made.workload.output_layout, nchw_shape)


def in_layout(x: relax.Expr, layout: Layout) -> relax.Expr:
    """NCHW `x`, changed to `layout`."""
    return x if layout == "planes" else relax.op.permute_dims(x, TO_CHANNELS)


def from_layout(x: relax.Expr, layout: Layout, nchw_shape: tuple[int, ...]) -> relax.Expr:
    """The values of `x`, which are in `layout` but of any shape, as NCHW."""
    if layout == "planes":
        return relax.op.reshape(x, nchw_shape)
    batch, channels, rows, columns = nchw_shape
    return relax.op.permute_dims(relax.op.reshape(x, (batch, rows, columns, channels)), TO_PLANES)


def reshaped_to(x: relax.Expr, shape: tuple[int, ...]) -> relax.Expr:
    """`x` itself where it has `shape`, else a reshape. (A call that is not bound has no type.)"""
    known = isinstance(x, relax.Var | tvm.ir.Constant)
    return x if known and shape_of(x) == shape else relax.op.reshape(x, shape)


def constant(values: np.ndarray) -> tvm.ir.Constant:
    """`values` as a float32 constant."""
    return relax.const(values.astype(np.float32), "float32")


def is_per_channel(bias: tvm.ir.Constant, channels: int) -> bool:
    """Whether `bias` adds one value to each channel of an NCHW tensor."""
    shape = shape_of(bias)
    return shape[-3:] == (channels, 1, 1) and math.prod(shape) == channels


def is_zero(bias: tvm.ir.Constant) -> bool:
    """Whether adding `bias` changes nothing."""
    return not bias.value.numpy().any()


def flat(values: tvm.ir.Constant) -> tvm.ir.Constant:
    """One value a channel, as kernels take it: (channels,)."""
    return constant(values.value.numpy().reshape(-1))


def is_call(value: relax.Expr | None, operators: tuple[str, ...]) -> bool:
    """Whether `value` is a call of one of `operators`, given by their full names."""
    if not isinstance(value, tvm.ir.Call) or not isinstance(value.op, tvm.ir.Op):
        return False
    return value.op.name in operators


def results_of(main: relax.Function) -> list[relax.Expr]:
    """What `main` returns: one tensor, or those of its tuple in order."""
    bound = {binding.var: binding.value for block in main.body.blocks for binding in block.bindings}
    result = main.body.body
    while isinstance(bound.get(result), relax.Var | relax.Tuple):
        result = bound[result]
    return list(result.fields) if isinstance(result, relax.Tuple) else [result]


def padding_of(window: relax.Call) -> tuple[int, ...]:
    """Of a convolution or pool: (rows, columns) of all sides, or (top, left, bottom, right)."""
    top, left, bottom, right = (int(width) for width in window.attrs.padding)
    return (top, left) if (top, left) == (bottom, right) else (top, left, bottom, right)


def windows_reach_the_picture(border: Sequence[int], kernel: Sequence[int]) -> bool:
    """Whether no window of `kernel` (rows, columns) lies in the border alone.

    `border` is (top, left, bottom, right).
    """
    return all(width < extent for width, extent in zip(border, (*kernel, *kernel), strict=True))


def shape_of(tensor: relax.Expr) -> tuple[int, ...]:
    """The static shape."""
    return tuple(int(extent) for extent in tensor.ty.shape)
