"""The processes of one training run: this one alone, or those that `torchrun` started."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Processes:
    """This process is number `rank` of `count`, and computes on `device`."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this one writes files and prints."""
        return self.rank == 0

    def parallel(self, module: nn.Module) -> nn.Module:
        """`module` with its gradients averaged over all processes at each backward pass."""
        if self.count == 1:
            return module
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices)


@contextlib.contextmanager
def joined_processes() -> Iterator[Processes]:
    """Joins those that torchrun's environment names; each has the GPU of its number on its machine.

    Without a GPU all compute on the processor, and speak by gloo.
    """
    local = int(os.environ.get("LOCAL_RANK", "0"))
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda", local) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    count = process_count()
    if count == 1:
        yield Processes(0, 1, device)
        return
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Processes(distributed.get_rank(), count, device)
        distributed.barrier()  # torchrun ends all where one ends badly: not while another writes
    finally:
        distributed.destroy_process_group()


def process_count() -> int:
    """How many processes torchrun started for this run, on all machines; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))
