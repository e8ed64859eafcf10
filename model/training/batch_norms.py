"""Batch norms whose statistics are those of the final weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def reestimate_batch_norms(module: nn.Module, inputs: Iterable[Tensor]) -> None:
    """Sets means and variances to plain averages over the batches `inputs`, weights as they are.

    While training they are moving averages over weights that changed. The official train.py ends
    the same way, with an epoch that updates nothing else. Leaves `module` in training mode.
    """
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # every batch counts the same
    module.train()
    try:
        with torch.no_grad():
            for x in inputs:
                module(x)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
