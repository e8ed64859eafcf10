"""How many held-out pictures a network in training gets right."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from model.predictions import KEPT


def held_out_accuracy(
    module: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], device: torch.device
) -> dict[str, float]:
    """`top1`, `top5` and the number of `pictures`; leaves `module` in evaluation mode."""
    module.eval()
    pictures = first = among = 0
    with torch.inference_mode():
        for x, classes in batches:
            logits = module(x.to(device))
            best = logits.topk(min(KEPT, logits.shape[1])).indices
            right = best == classes.to(device)[:, None]
            pictures += len(classes)
            first += int(right[:, 0].sum())
            among += int(right.any(1).sum())
    return {"pictures": pictures, "top1": first / pictures, f"top{KEPT}": among / pictures}
