"""Graph passes of ours, in the order in which they run. Each is a pure function of the module."""

from compile.passes.fold_batch_norm import fold_batch_norm

UNFUSED_PASSES = (fold_batch_norm,)
