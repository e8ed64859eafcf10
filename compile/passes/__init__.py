"""Graph passes, in the order in which they run. Each is a pure function of the module."""

from collections.abc import Callable

import tvm
from tvm import relax

from compile.passes.fold_batch_norm import fold_batch_norm
from compile.passes.fuse_pointwise import fuse_pointwise
from compile.passes.fuse_windows import fuse_windows
from compile.passes.in_place import write_in_place
from compile.passes.layouts import cancel_layout_changes, choose_layouts
from compile.passes.rewriting import Choices
from compile.passes.shuffle import move_shuffles
from deploy_rpc.cores import Core

Pass = Callable[[tvm.IRModule], tvm.IRModule]

UNFUSED_PASSES: tuple[Pass, ...] = (
    relax.transform.FoldConstant(),  # first: exporters leave reshapes of constants behind
    fold_batch_norm,
)


def passes_of(level: str, core: Core, threads: int) -> tuple[Pass, ...]:
    """The graph passes of a level of the ladder, for `core`."""
    fused = (*UNFUSED_PASSES, fuse(core, threads))
    return {"stock": (), "unfused": UNFUSED_PASSES, "fused": fused}[level]


def fuse(core: Core, threads: int) -> Pass:
    """Everything into kernels of the templates, each in the layout that suits its size."""

    def apply(module: tvm.IRModule) -> tvm.IRModule:
        choices = Choices(core, threads, choose_layouts(module, core))
        for step in (move_shuffles, fuse_pointwise, fuse_windows):
            module = step(choices)(module)
        return write_in_place(cancel_layout_changes(module))

    return apply
