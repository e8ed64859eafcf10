"""Which layout each size of picture has, and the changes of layout that cancel.

Each convolution of the graph is priced in both layouts by the templates' model. Large pictures are
planes and small ones have channels in the lanes, from that size on which makes the sum least: so
the layout changes once at most, in a kernel that reads the one and writes the other (depthwise, a
pool, or the first convolution), at a price for each value there. 1x g3 on AVX2 has channels in the
lanes throughout: with planes down to 28x28 its kernels take 3.42 ms instead of 3.17 (one thread of
an EPYC, Zen 3, 2026-11-25). Kernels are called with changes around them:

    y = permute_dims(kernel(permute_dims(x, NHWC)), NCHW)

and `cancel_layout_changes` removes those that meet, also through operators that work alike in both:

    permute_dims(permute_dims(x, NCHW), NHWC)              ->   x
    relu(permute_dims(x, NCHW))                            ->   permute_dims(relu(x), NCHW)
    concat(permute_dims(x, NCHW), permute_dims(y, NCHW))   ->   permute_dims(concat(x, y), NCHW)
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from compile.passes.rewriting import (
    TO_CHANNELS,
    TO_PLANES,
    Layouts,
    mutated_main,
    padding_of,
    shape_of,
)
from compile.schedules import stem_pool_channels_tiles
from compile.schedules.layouts import LAYOUTS, Layout
from compile.schedules.pointwise_default import default_tile
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.registers import has_avx512
from compile.schedules.stem_pool_workload import KERNEL, STRIDE, StemPoolWorkload
from compile.schedules.templates import Convolution, modelled_cycles
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core

Counted = Counter[tuple[tuple[int, int], Convolution]]  # by the size that it makes
ALIKE = ("relax.nn.relu", "relax.add", "relax.multiply", "relax.concat")
# Cycles of a value that a window reads from planes and writes to channels: of convolutions on AVX2
# (Zen 3), of pools, which transpose squares, on AVX-512 (Zen 5, 2026-11-26).
CHANGE_CYCLES = {"relax.nn.conv2d": 1.7, "relax.nn.max_pool2d": 0.4, "relax.nn.avg_pool2d": 0.4}
SHRINKING = {tvm.ir.Op.get(name): cycles for name, cycles in CHANGE_CYCLES.items()}
LEAST_LANES = 8  # with 4 lanes planes waste little; kernel_notes of A72 and N1 had them ahead


def choose_layouts(module: tvm.IRModule, core: Core, threads: int = 1) -> Layouts:
    """The layout for each (rows, columns) of the activations of `main`; planes where in doubt.

    Several threads that share a picture by its rows share no cache line of it with channels in the
    lanes, but some of every plane: then all sizes below the last one whose layout changes bits have
    channels in the lanes. Three kinds of convolutions change them, as they sum in another order:
    those of several inputs, 1x1 ones with inputs in the lanes, and with AVX-512 a stem whose
    pool may have channels in the lanes, as its rows share products where they are planes. 1x g3 on
    two AVX-512 cores (2026-11-24): 2.94 M clock ticks against 3.47 M.
    """
    if core.lanes < LEAST_LANES:
        return lambda _: "planes"
    counts = {layout: _convolutions(module, layout) for layout in LAYOUTS}
    costs = {layout: _cycles_of_sizes(counts[layout], core) for layout in LAYOUTS}
    in_channels = _sizes_in_channels(costs["planes"], costs["channels"], _changes(module))
    if threads > 1 and in_channels:
        found = counts["channels"]
        dense = {size for size, each in found if _depends_on_layout(each, core)}
        if has_avx512(core):
            dense |= _sizes_of_stems((each for _, each in found), core)
        in_channels |= _smaller_than_all(dense - in_channels, set(costs["planes"]))
    return lambda size: "channels" if tuple(size) in in_channels else "planes"


def _convolutions(module: tvm.IRModule, layout: Layout) -> Counted:
    """How often `main` has a convolution that makes pictures of which size."""
    found: Counted = Counter()

    def count(node: relax.Expr) -> None:
        if isinstance(node, tvm.ir.Call) and node.op == tvm.ir.Op.get("relax.nn.conv2d"):
            found[shape_of(node)[2:], _workload(node, layout)] += 1

    relax.analysis.post_order_visit(module["main"], count)
    return found


def _cycles_of_sizes(convolutions: Counted, core: Core) -> Counter[tuple[int, int]]:
    """The modelled cycles of all that make a size; alike ones are modelled once."""
    cycles: Counter[tuple[int, int]] = Counter()
    for (size, workload), calls in convolutions.items():
        cycles[size] += calls * modelled_cycles(workload, core)
    return cycles


def _depends_on_layout(workload: Convolution, core: Core) -> bool:
    """Whether sums of `workload` are added in another order with channels in the lanes."""
    if isinstance(workload, WindowWorkload):
        return not workload.is_channelwise
    return default_tile(workload, core).k_lanes > 1


def _sizes_of_stems(convolutions: Iterable[Convolution], core: Core) -> set[tuple[int, int]]:
    """What those make, with a pool behind them, whose channels may come into the lanes."""
    stems = [
        StemPoolWorkload(each.outputs, each.inputs, each.size, layout=each.layout)
        for each in convolutions
        if isinstance(each, WindowWorkload)
        and (each.groups, each.kernel, each.stride) == (1, (KERNEL, KERNEL), STRIDE)
    ]
    return {stem.output_size for stem in stems if stem_pool_channels_tiles.is_offered(stem, core)}


def _changes(module: tvm.IRModule) -> Counter[tuple[int, int]]:
    """Cycles of changing the layout in the windows that make each size of a larger picture."""
    cycles: Counter[tuple[int, int]] = Counter()

    def count(node: relax.Expr) -> None:
        if isinstance(node, tvm.ir.Call) and node.op in SHRINKING:
            _, channels, *size = shape_of(node)
            if tuple(size) != tuple(shape_of(node.args[0])[2:]):
                cycles[tuple(size)] += SHRINKING[node.op] * channels * math.prod(size)

    relax.analysis.post_order_visit(module["main"], count)
    return cycles


def _sizes_in_channels(
    planes: Counter[tuple[int, int]],
    channels: Counter[tuple[int, int]],
    changes: Counter[tuple[int, int]],
) -> set[tuple[int, int]]:
    """The smaller sizes, from the one on where changing pays most; none where nothing is gained.

    At the first size nothing is changed: a first convolution reads planes in any case.
    """
    sizes = sorted(planes, key=lambda size: size[0] * size[1], reverse=True)

    def cost(first: int) -> float:
        before, behind = sizes[:first], sizes[first:]
        change = changes[behind[0]] if before and behind else 0
        return (
            sum(planes[size] for size in before) + sum(channels[size] for size in behind) + change
        )

    best = min(range(len(sizes), -1, -1), key=cost)
    return set(sizes[best:])


def _smaller_than_all(
    limits: set[tuple[int, int]], sizes: set[tuple[int, int]]
) -> set[tuple[int, int]]:
    """Those of `sizes` with fewer pixels than each of `limits`."""
    least = min((math.prod(limit) for limit in limits), default=math.inf)
    return {size for size in sizes if math.prod(size) < least}


def _workload(conv: relax.Call, layout: Layout) -> Convolution:
    """What the templates would see."""
    size = shape_of(conv.args[0])[2:]
    outputs, inputs, *kernel = shape_of(conv.args[1])
    groups, stride = int(conv.attrs.groups), int(conv.attrs.strides[0])
    if tuple(kernel) == (1, 1) and stride == 1:
        pixels = size[0] * size[1]
        return PointwiseWorkload(
            groups, outputs // groups, inputs, pixels, relu=True, shortcut=False, layout=layout
        )
    return WindowWorkload(
        kind="conv",
        groups=groups,
        outputs=outputs // groups,
        inputs=inputs,
        size=(size[0], size[1]),
        kernel=(kernel[0], kernel[1]),
        stride=stride,
        padding=padding_of(conv),
        layout=layout,
    )


def cancel_layout_changes(module: tvm.IRModule) -> tvm.IRModule:
    """Relax to Relax, main only."""
    return mutated_main(module, _Cancelling)


@mutator
class _Cancelling(PyExprMutator):
    """In order of the bindings; what is overtaken becomes dead code."""

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        call = self.visit_expr_post_order(call)
        if not isinstance(call.op, tvm.ir.Op):
            return call
        changed = None
        if _is_permute(call, TO_CHANNELS):
            changed = self._in_channels(call.args[0])
        elif call.op.name in ALIKE:
            changed = self._behind_the_change(call)
        return call if changed is None else changed

    def _behind_the_change(self, call: relax.Call) -> relax.Expr | None:
        """`call` on NHWC operands, changed to NCHW; None where an operand is not a changed one."""
        operands = list(call.args[0].fields) if call.op.name == "relax.concat" else list(call.args)
        changed = [self._operand(operand) for operand in operands]
        if any(operand is None for operand in changed):
            return None
        if all(isinstance(operand, tvm.ir.Constant) for operand in changed):
            return None
        if call.op.name == "relax.concat":
            if int(call.attrs.axis) != 1:
                return None
            result = relax.op.concat(changed, axis=3)
        else:
            result = tvm.ir.Call(call.op, changed, call.attrs)
        return relax.op.permute_dims(self.builder_.emit(result), TO_PLANES)

    def _operand(self, operand: relax.Expr) -> relax.Expr | None:
        if isinstance(operand, tvm.ir.Constant):
            values = operand.value.numpy()
            if values.ndim == 4:
                return relax.const(values.transpose(TO_CHANNELS), "float32")
            return operand if values.ndim == 0 else None
        return self._in_channels(operand)

    def _in_channels(self, value: relax.Expr) -> relax.Expr | None:
        """The NHWC value that NCHW `value` was changed from."""
        bound = self.lookup_binding(value) if isinstance(value, relax.Var) else value
        return bound.args[0] if _is_permute(bound, TO_PLANES) else None


def _is_permute(value: relax.Expr | None, axes: tuple[int, ...]) -> bool:
    if not isinstance(value, tvm.ir.Call) or value.op != tvm.ir.Op.get("relax.permute_dims"):
        return False
    return tuple(int(axis) for axis in value.attrs.axes or ()) == axes
