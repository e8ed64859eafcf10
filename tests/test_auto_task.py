"""MetaSchedule's space covers what no template does, and convolutions for comparison."""

from __future__ import annotations

import torch
from torch import nn

from compile.tuning.auto_task import auto_tasks_of
from tests.auto_searches import TARGET
from tests.small_networks import small_network


class Sines(nn.Module):
    """Two equal pointwise convolutions with a sine between, which no template has, and a pool."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.max_pool2d(self.second(torch.sin(self.first(x))), 2)


def test_generic_kernels_and_convolutions_are_tasks_each_computation_once() -> None:
    tasks = auto_tasks_of(small_network(Sines(), side=8), TARGET)
    assert [(task.calls, task.macs, task.made is None) for task in tasks] == [
        (2, 3 * 3 * 64, False),
        (1, 0, True),
    ]
    assert all(task.plain.attrs["global_symbol"] == "main" for task in tasks)
