"""Graph passes, in the order in which they run. Each is a pure function of the module."""

from collections.abc import Callable, Collection

import tvm

from compile.passes.biases import move_biases
from compile.passes.fold_batch_norm import fold_batch_norm
from compile.passes.fold_constants import fold_constants
from compile.passes.fuse_dense import fuse_dense
from compile.passes.fuse_lrn import fuse_lrn
from compile.passes.fuse_pointwise import fuse_pointwise
from compile.passes.fuse_stem import fuse_stem
from compile.passes.fuse_windows import fuse_windows
from compile.passes.in_place import write_in_place
from compile.passes.into_half import into_half
from compile.passes.into_int8 import into_int8
from compile.passes.layouts import cancel_layout_changes, choose_layouts
from compile.passes.plain_forms import into_plain_forms
from compile.passes.relus import move_relus
from compile.passes.rewriting import Choices
from compile.passes.shuffle import move_shuffles, shuffle_in_layout
from compile.quantise.inputs import Calibration
from deploy_rpc.cores import Core, Dtype

Pass = Callable[[tvm.IRModule], tvm.IRModule]

CLEAN: tuple[Pass, ...] = (
    fold_constants,  # first: exporters leave reshapes of constants behind
    fold_batch_norm,
    into_plain_forms,
)


def passes_of(
    level: str,
    core: Core,
    threads: int,
    dtype: Dtype = "float32",
    calibration: Calibration | None = None,
    kept: Collection[str] = (),
) -> tuple[Pass, ...]:
    """The graph passes of a level of the ladder, for `core` and activations of `dtype`.

    Unfused and fused differ in nothing but fusion: both take the same templates and layouts. Tuned
    is fused here; what records say comes behind (`take_decisions`). int8 needs a
    `calibration`, and is fused in any case; the layers `kept` stay float32.
    """
    if level == "stock":
        return ()
    if dtype == "int8":
        return (*CLEAN, _into_int8_templates(core, threads, calibration, kept))
    return (*CLEAN, _into_templates(core, threads, dtype, fused=level != "unfused"))


def _into_int8_templates(
    core: Core, threads: int, calibration: Calibration, kept: Collection[str]
) -> Pass:
    """Operators into kernels of planes in float32, which are then made again in int8."""
    steps = (
        *before_int8(core, threads),
        into_int8(core, threads, calibration, kept),
        write_in_place,
    )

    def apply(module: tvm.IRModule) -> tvm.IRModule:
        for step in steps:
            module = step(module)
        return module

    return apply


def before_int8(core: Core, threads: int) -> tuple[Pass, ...]:
    """The passes from `CLEAN` operators to the kernels of float32 that become int8.

    Biases stay where they are: a sum of int8 begins with one for nothing.
    """
    return (move_relus, *_templates(Choices(core, threads, lambda _: "planes", stem=False)))


def _templates(choices: Choices) -> tuple[Pass, ...]:
    """The passes that put kernels of the templates into the place of operators."""
    return (
        (move_shuffles if choices.fused else shuffle_in_layout)(choices),
        fuse_pointwise(choices),
        fuse_stem(choices),
        fuse_windows(choices),
        fuse_dense(choices),
        fuse_lrn(choices),
        cancel_layout_changes,
    )


def _into_templates(core: Core, threads: int, dtype: Dtype, *, fused: bool) -> Pass:
    """Operators into kernels of the templates, each in the layout that suits its size."""

    def apply(module: tvm.IRModule) -> tvm.IRModule:
        if fused:
            module = move_biases(move_relus(module))
        choices = Choices(core, threads, choose_layouts(module, core, threads), fused)
        steps = (
            *_templates(choices),
            *([into_half(core, threads)] if dtype == "float16" else []),
            *([write_in_place] if fused else []),
        )
        for step in steps:
            module = step(module)
        return module

    return apply
