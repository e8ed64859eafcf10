"""The paper's optimiser: SGD with momentum, a learning rate that falls to 0 on a line."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.training.settings import Settings


def learning_rate(step: int, steps: int, first: float) -> float:
    """That of update `step` of `steps`, counted from 0: `first` on a line to 0."""
    return first * (1 - step / steps)


def make_optimizer(module: nn.Module, settings: Settings) -> torch.optim.SGD:
    """Weight decay on convolutions and matrices, none on biases and batch norms."""
    parameters = list(module.parameters())
    groups = [
        {"params": _of(parameters, True), "weight_decay": settings.weight_decay},
        {"params": _of(parameters, False), "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Of all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def loss_of(logits: Tensor, classes: Tensor, settings: Settings) -> Tensor:
    """Cross entropy against classes of which `label_smoothing` is spread over all."""
    return nn.functional.cross_entropy(
        logits.float(), classes, label_smoothing=settings.label_smoothing
    )


def _of(parameters: list[nn.Parameter], decayed: bool) -> list[nn.Parameter]:
    """Those of more than one dimension, or the others."""
    return [parameter for parameter in parameters if (parameter.ndim > 1) == decayed]
