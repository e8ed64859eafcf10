"""Graph passes, in the order in which they run. Each is a pure function of the module."""

from collections.abc import Callable

import tvm
from tvm import relax

from compile.passes.fold_batch_norm import fold_batch_norm
from compile.passes.fuse_pointwise import fuse_pointwise
from compile.passes.fuse_windows import fuse_windows
from deploy_rpc.cores import Core

Pass = Callable[[tvm.IRModule], tvm.IRModule]

UNFUSED_PASSES: tuple[Pass, ...] = (
    relax.transform.FoldConstant(),  # first: exporters leave reshapes of constants behind
    fold_batch_norm,
)


def passes_of(level: str, core: Core, threads: int) -> tuple[Pass, ...]:
    """The graph passes of a level of the ladder, for `core`."""
    fusing = (fuse_pointwise(core, threads), fuse_windows(core, threads))
    return {"stock": (), "unfused": UNFUSED_PASSES, "fused": (*UNFUSED_PASSES, *fusing)}[level]
