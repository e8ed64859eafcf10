"""Folds every batch norm into the convolution before it: its scale into the weights, the rest a bias.

    y = batch_norm(conv2d(x, W), gamma, beta, mean, var)   ->   y = add(conv2d(x, W'), b')
    W' = W * gamma / sqrt(var + eps),   b' = beta - mean * gamma / sqrt(var + eps)
"""

from __future__ import annotations

import tvm
from tvm import relax


def fold_batch_norm(module: tvm.IRModule) -> tvm.IRModule:
    """Relax to Relax; constants are evaluated, so that the result has plain weights again.

    A batch norm that follows no convolution is left alone, and shows as a kernel of its own.
    """
    passes = [relax.transform.FoldBatchnormToConv2D(), relax.transform.FoldConstant()]
    return tvm.ir.transform.Sequential(passes)(module)
