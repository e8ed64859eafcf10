"""python model/train.py --data DIR --model NAME: a network trained by the paper's recipe.

`torchrun --nproc-per-node N model/train.py ...` trains on N GPUs, and on several machines with
torchrun's own options. Ends with the weights, which `build.py` and `evaluate.py` take.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import torch

from model.cli import run_command, write_json
from model.output_folder import OutputFolderError, make_output_folder
from model.training.data import training_data
from model.training.finish import finish
from model.training.logs import Logs
from model.training.loop import Work, train
from model.training.options import parse_options, settings_of
from model.training.processes import Processes, joined_processes
from model.training.run_state import Run, load_run, new_module, new_run
from model.training.settings import Settings

CHECKPOINT, LOGS = "checkpoint.pth", "logs"


def main(arguments: list[str] | None = None) -> None:
    """Trains to the end, or to `--stop-at`; writes OUT/NAME.safetensors and prints its path."""
    options = parse_options(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    _prepare(options.out, options.resume)
    data = training_data(options.data)
    settings = settings_of(options, data.classes, data.digest)
    work = Work(
        data.training,
        data.held_out,
        options.out / CHECKPOINT,
        options.workers,
        options.save_every,
        options.validate_every,
    )
    steps = settings.epochs * work.epoch_steps(settings)
    with joined_processes() as processes:
        run = new_run(new_module(settings), settings, processes.device)
        words = sys.argv[1:] if arguments is None else arguments
        run.command = shlex.join(["python", "model/train.py", *words])
        if options.resume:
            load_run(work.checkpoint, run, settings)
        if processes.is_first:
            _print_run(run, settings, work, steps)
        _train(run, settings, work, processes, min(options.stop_at or steps, steps))
    if not processes.is_first:
        return
    if run.step < steps:
        print(f"stopped at update {run.step} of {steps}; go on with --resume")
        print(work.checkpoint)
        return
    out = options.out / f"{settings.model}.safetensors"
    report = finish(run, settings, work, processes.device, out)
    if options.json:
        write_json(options.json, report)
    print(out)


def _prepare(out: Path, resume: bool) -> None:
    """Makes the folder; raises `OutputFolderError` rather than write over another run."""
    make_output_folder(out)
    if (out / CHECKPOINT).exists() and not resume:
        raise OutputFolderError(
            f"{out / CHECKPOINT} is of a run; go on with --resume, or name another --out"
        )


def _print_run(run: Run, settings: Settings, work: Work, steps: int) -> None:
    where = f"from update {run.step} " if run.step else ""
    print(
        f"train {settings.model}, {settings.classes} classes, on {len(work.training)} pictures "
        f"({len(work.held_out)} held out): {where}{settings.epochs} epochs, {steps} updates of "
        f"{settings.batch_size}, learning rate {settings.lr:g} to 0, {settings.processes} "
        f"process(es), {settings.precision}",
        flush=True,
    )


def _train(run: Run, settings: Settings, work: Work, processes: Processes, last: int) -> None:
    logs = Logs(work.checkpoint.with_name(LOGS), run.step) if processes.is_first else None
    try:
        train(run, settings, work, processes, logs, last)
    finally:
        if logs:
            logs.close()


if __name__ == "__main__":
    run_command(main)
