"""Curves of a run for TensorBoard, where it is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path


class Logs:
    """Writes scalars to `folder`, from update `step` on; what was there of later ones goes."""

    def __init__(self, folder: Path, step: int) -> None:
        self._writer = None
        if importlib.util.find_spec("tensorboard") is None:
            print("no TensorBoard logs: pip install 'shufflenet-compiled[train]' brings it")
            return
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=step)

    def write(self, step: int, **values: float) -> None:
        """Each of `values` under its name, at update `step`."""
        if self._writer:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Writes through what is left."""
        if self._writer:
            self._writer.close()
