"""The end of a run: batch norms re-estimated, accuracy, and the weights in a file of their own."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from model.cli import phase, write_atomically
from model.training.accuracy import held_out_accuracy
from model.training.batch_norms import reestimate_batch_norms
from model.training.loop import TrainingError, Work
from model.training.pictures import Batches, held_out_loader, training_loader
from model.training.run_state import Run, facts_of_run
from model.training.settings import Settings


def finish(
    run: Run, settings: Settings, work: Work, device: torch.device, out: Path
) -> dict[str, Any]:
    """Writes `out`, the final network as `.safetensors`; returns the report of the run.

    Command, settings and accuracy are in the file's metadata. Raises `TrainingError` where it
    cannot be written.
    """
    module = run.final_module
    epoch_steps = work.epoch_steps(settings)
    count = min(settings.bn_batches, epoch_steps)
    if count:
        # of the epoch after the last: new crops of the same pictures
        batches = Batches(len(work.training), settings, run.step, run.step + count)
        loader = training_loader(work.training, settings, batches, work.workers)
        with phase(f"re-estimate batch norms over {count} batches"):
            reestimate_batch_norms(module, (x.to(device) for x, _ in loader))
    accuracy = None
    if work.held_out:
        loader = held_out_loader(work.held_out, settings, work.workers)
        accuracy = held_out_accuracy(module, loader, device)
        print(
            f"{accuracy['pictures']} held-out pictures: top-1 {accuracy['top1']:.2%}, top-5 "
            f"{accuracy['top5']:.2%}"
        )
    report = {
        "command": run.command,
        "settings": settings.as_dict(),
        "updates": run.step,
        "accuracy": accuracy,
        "torch": torch.__version__,
    }
    metadata = facts_of_run(settings).as_metadata() | {"training": json.dumps(report)}
    tensors = {key: value.cpu().contiguous() for key, value in module.state_dict().items()}
    try:
        write_atomically(out, lambda temporary: save_file(tensors, temporary, metadata))
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"cannot write {out}: {error}; make room, then end the run with --resume"
        ) from error
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    return {**report, "history": run.history, "weights": str(out), "sha256": digest}
