"""The updates of a run, from where it is to its end, with checkpoints on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from model.errors import InputError
from model.labelled_pictures import LabelledPicture
from model.progress import with_progress
from model.training.accuracy import held_out_accuracy
from model.training.logs import Logs
from model.training.pictures import Batches, held_out_loader, training_loader
from model.training.processes import Processes
from model.training.recipe import learning_rate, loss_of, set_learning_rate
from model.training.run_state import Run, save_run
from model.training.settings import Settings

LOG_EVERY = 20  # updates


class TrainingError(InputError):
    """A run that leads nowhere."""


@dataclass(frozen=True)
class Work:
    """What a run trains on and how it goes about it; none of it changes the weights.

    Checkpoints go to `checkpoint` at the end of each epoch and, where it is given, every
    `save_every` updates; held-out pictures are looked at every `validate_every` epochs.
    """

    training: Sequence[LabelledPicture]
    held_out: Sequence[LabelledPicture]
    checkpoint: Path
    workers: int
    save_every: int | None
    validate_every: int

    def epoch_steps(self, settings: Settings) -> int:
        """Updates an epoch. Raises `TrainingError` where a batch is more than all pictures."""
        steps = len(self.training) // settings.batch_size
        if steps == 0:
            raise TrainingError(
                f"a batch of {settings.batch_size} needs as many pictures, there are "
                f"{len(self.training)} to train on; take a smaller --batch-size"
            )
        return steps


def train(
    run: Run, settings: Settings, work: Work, processes: Processes, logs: Logs | None, last: int
) -> None:
    """Brings `run` to update `last`; `logs` is None but in the first process.

    Raises `TrainingError` where the loss is no number any more.
    """
    epoch_steps = work.epoch_steps(settings)
    batches = Batches(len(work.training), settings, run.step, last, processes.rank)
    loader = training_loader(work.training, settings, batches, work.workers)
    shown = with_progress(loader, "updates", last, run.step) if processes.is_first else loader
    module = processes.parallel(run.module)
    for x, classes in shown:
        module.train()
        loss = update(module, run, settings, epoch_steps, x, classes, processes.device)
        ends_epoch = run.step % epoch_steps == 0
        if processes.is_first and run.step % LOG_EVERY == 0:
            _check_loss(loss, run.step)
            rate = run.optimizer.param_groups[0]["lr"]
            logs.write(run.step, loss=loss.item(), learning_rate=rate)
        if ends_epoch:
            _end_epoch(run, settings, work, processes, logs)
        due = work.save_every and run.step % work.save_every == 0
        if processes.is_first and (ends_epoch or due or run.step == last):
            _check_loss(run.loss_sum, run.step)
            save_run(work.checkpoint, run, settings)


def update(
    module: nn.Module,
    run: Run,
    settings: Settings,
    epoch_steps: int,
    x: Tensor,
    classes: Tensor,
    device: torch.device,
) -> Tensor:
    """One step of the optimiser; the loss before it, on the device."""
    steps = settings.epochs * epoch_steps
    set_learning_rate(run.optimizer, learning_rate(run.step, steps, settings.lr))
    x, classes = x.to(device, non_blocking=True), classes.to(device, non_blocking=True)
    mixed = settings.precision == "bfloat16"
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=mixed):
        logits = module(x)
    loss = loss_of(logits, classes, settings)
    run.optimizer.zero_grad()
    loss.backward()
    run.optimizer.step()
    if run.averaged:
        run.averaged.update_parameters(run.module)
    run.loss_sum += loss.detach()
    run.step += 1
    return loss.detach()


def _end_epoch(
    run: Run, settings: Settings, work: Work, processes: Processes, logs: Logs | None
) -> None:
    """A line and a row of history; the mean loss is that of the first process's share."""
    epoch_steps = work.epoch_steps(settings)
    epoch = run.step // epoch_steps
    row = {"epoch": epoch, "loss": run.loss_sum.item() / epoch_steps}
    run.loss_sum.zero_()
    if not processes.is_first:
        return
    _check_loss(torch.tensor(row["loss"]), run.step)
    if work.held_out and epoch % work.validate_every == 0:
        loader = held_out_loader(work.held_out, settings, work.workers)
        row |= held_out_accuracy(run.final_module, loader, processes.device)
    run.history.append(row)
    logs.write(run.step, **{f"epoch/{name}": value for name, value in row.items()})
    said = f", held-out top-1 {row['top1']:.1%}" if "top1" in row else ""
    print(f"epoch {epoch} of {settings.epochs}: loss {row['loss']:.3f}{said}", flush=True)


def _check_loss(loss: Tensor, step: int) -> None:
    if not math.isfinite(loss.item()):
        raise TrainingError(
            f"the loss is {loss.item()} at update {step}: the learning rate is too high for this "
            "network; begin anew with a lower --lr"
        )
