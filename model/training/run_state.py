"""A training run between two updates, kept so that going on gives the very same weights.

What is drawn at random depends on seed, epoch and picture alone (`pictures.py`), and the learning
rate on the update's number, so that besides tensors one number is all the position there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from model.checkpoint_facts import CheckpointFacts
from model.checkpoint_file import read_checkpoint_file
from model.cli import write_atomically
from model.errors import InputError
from model.training.recipe import make_optimizer
from model.training.settings import Settings
from model.zoo import build_module


class ResumeError(InputError):
    """A file that no run can go on from, or one of another run."""


@dataclass
class Run:
    """`step` updates are done. `averaged` is None without EMA; `history` has a row an epoch.

    `loss_sum` is the sum of the losses of this epoch's updates so far, `command` what began it all.
    """

    module: nn.Module
    optimizer: torch.optim.Optimizer
    averaged: AveragedModel | None
    loss_sum: torch.Tensor
    step: int = 0
    command: str = ""
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def final_module(self) -> nn.Module:
        """The network that the run is for: of averaged weights where there are any."""
        return self.averaged.module if self.averaged else self.module


def new_module(settings: Settings) -> nn.Module:
    """The network of a run, its weights drawn from the seed."""
    torch.manual_seed(settings.seed)
    return build_module(
        settings.model,
        input_size=settings.input_size,
        convention=settings.convention,
        shuffle=settings.shuffle,
        classes=settings.classes,
    )


def new_run(module: nn.Module, settings: Settings, device: torch.device) -> Run:
    """Before the first update of `module`."""
    module.to(device)
    averaged = None
    if settings.ema:
        average = get_ema_multi_avg_fn(settings.ema)
        averaged = AveragedModel(module, multi_avg_fn=average, use_buffers=True)
    loss_sum = torch.zeros((), dtype=torch.float64, device=device)
    return Run(module, make_optimizer(module, settings), averaged, loss_sum)


def facts_of_run(settings: Settings) -> CheckpointFacts:
    """What its checkpoints say of themselves."""
    return CheckpointFacts(
        settings.input_size,
        settings.preprocessing,
        settings.convention,
        "yes" if settings.shuffle else "no",
    )


def save_run(path: Path, run: Run, settings: Settings) -> None:
    """Writes all of `run` to `path`, whole or not at all; `evaluate.py` takes the file, too."""
    content = {
        "state_dict": run.module.state_dict(),
        "averaged": run.averaged.state_dict() if run.averaged else None,
        "optimizer": run.optimizer.state_dict(),
        "step": run.step,
        "command": run.command,
        "loss_sum": run.loss_sum,
        "history": run.history,
        "settings": settings.as_dict(),
        "metadata": facts_of_run(settings).as_metadata(),
    }
    try:
        write_atomically(path, lambda temporary: torch.save(content, temporary))
    except (OSError, RuntimeError) as error:  # torch's own writer raises the second
        raise ResumeError(
            f"cannot write {path}: {error}; make room, then go on with --resume"
        ) from error


def load_run(path: Path, run: Run, settings: Settings) -> None:
    """Puts `run` where the one in `path` was. Raises `ResumeError` where that was another run."""
    if not path.is_file():
        raise ResumeError(f"nothing to go on from: no {path}; leave --resume away to begin")
    content, _ = read_checkpoint_file(path)
    if not isinstance(content, Mapping) or "settings" not in content:
        raise ResumeError(f"{path} holds weights, but no run to go on with: train.py wrote none")
    _check_settings(path, content["settings"], settings.as_dict())
    try:
        run.module.load_state_dict(content["state_dict"])
        if run.averaged:
            run.averaged.load_state_dict(content["averaged"])
        run.optimizer.load_state_dict(content["optimizer"])
        run.loss_sum.copy_(content["loss_sum"])
        run.step, run.command = int(content["step"]), str(content["command"])
        run.history = list(content["history"])
    except (KeyError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise ResumeError(
            f"{path} is damaged, or of another version ({type(error).__name__}: {error}): begin "
            "anew with another --out"
        ) from error


def _check_settings(path: Path, kept: object, asked: dict[str, Any]) -> None:
    if not isinstance(kept, Mapping):
        raise ResumeError(f"{path} is damaged: its settings are {type(kept).__name__}")
    differing = [
        f"{key} is {kept.get(key)!r} there and {asked.get(key)!r} here"
        for key in {**asked, **kept}
        if kept.get(key) != asked.get(key)
    ]
    if differing:
        raise ResumeError(
            f"{path} is of another run: {'; '.join(differing)}. Give the options of that run, or "
            "begin anew with another --out"
        )
