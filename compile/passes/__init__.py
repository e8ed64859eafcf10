"""Graph passes, in the order in which they run. Each is a pure function of the module."""

from tvm import relax

from compile.passes.fold_batch_norm import fold_batch_norm

UNFUSED_PASSES = (
    relax.transform.FoldConstant(),  # first: exporters leave reshapes of constants behind
    fold_batch_norm,
)
