"""The paper's ablation on the digits: held-out accuracy over seeds, by groups and shuffle.

Every network is trained by `model/training` with the same recipe, a seed at a time, on one thread.
What was trained of committed code stays in a file beside the report until the report is there, so
that an interrupted run of the same commit and recipe goes on.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from bench.ablation_networks import NETWORKS, AblationNetwork
from bench.provenance import is_one_state
from bench.reports import ReportError
from bench.rows import Row, report_row
from compile.targets import CompileTarget
from model.cli import write_json
from model.digits.pictures import DIGITS
from model.partial_results import partial_of
from model.training.accuracy import held_out_accuracy
from model.training.batch_norms import reestimate_batch_norms
from model.training.data import TrainingData, training_data
from model.training.loop import update
from model.training.pictures import Batches, held_out_loader, training_loader
from model.training.run_state import new_run
from model.training.settings import Settings
from model.workloads import count_parameters, layer_workloads, total_macs

SEEDS, SHORT_SEEDS = 5, 1
EPOCHS = 4
BATCH_SIZE = 32
PERCENT = 100
CPU = torch.device("cpu")


def measure_ablation(
    target: CompileTarget, seeds: int, json_path: Path, revision: str
) -> Iterator[Row]:
    """A row a network, its samples the accuracies in percent by seed.

    `partial_of(json_path)` is left behind, to be removed once the report is written. Raises
    `ReportError` where it is of another revision, recipe or pictures.
    """
    torch.set_num_threads(1)
    data = training_data(DIGITS)
    partial, of = partial_of(json_path), _identity(data, revision)
    is_kept = is_one_state(revision)
    done = _read(partial, of) if is_kept else {}
    for seed in range(seeds):
        left = [network for network in NETWORKS if _key(network, seed) not in done]
        seen = SeenPictures(data, seed) if left else None
        for network in left:
            key = _key(network, seed)
            done[key] = PERCENT * train_once(network, seen)
            if is_kept:
                write_json(partial, {"of": of, "done": done})
            print(f"{key}: {done[key]:.2f} %", flush=True)
    for network in NETWORKS:
        samples = [done[_key(network, seed)] for seed in range(seeds)]
        yield _row(network, target, data, samples)


class SeenPictures:
    """What every network of one seed sees: the same crops in the same order, made once."""

    def __init__(self, data: TrainingData, seed: int) -> None:
        self.settings = settings = _settings(data, seed)
        self.epoch_steps = len(data.training) // settings.batch_size
        self.steps = settings.epochs * self.epoch_steps
        batches = Batches(len(data.training), settings, 0, self.steps + settings.bn_batches)
        self.training = list(training_loader(data.training, settings, batches, workers=0))
        self.held_out = list(held_out_loader(data.held_out, settings, workers=0))


def train_once(network: AblationNetwork, seen: SeenPictures) -> float:
    """The share of held-out digits that `network` gets right after its training."""
    settings, steps = seen.settings, seen.steps
    torch.manual_seed(settings.seed)
    run = new_run(network.build(settings.classes), settings, CPU)
    for x, classes in seen.training[:steps]:
        run.module.train()
        update(run.module, run, settings, seen.epoch_steps, x, classes, CPU)
    reestimate_batch_norms(run.module, (x for x, _ in seen.training[steps:]))
    return held_out_accuracy(run.module, seen.held_out, CPU)["top1"]


def ablation_table(rows: Sequence[Row]) -> Table:
    """Of the rows that `measure_ablation` makes."""
    title = f"Held-out digits right, over {len(rows[0]['samples'])} seeds"
    table = Table("network", title=title, title_justify="left")
    for column in ("k MACs", "k parameters", "mean", "deviation", "least", "most"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            row["model"],
            f"{row['macs'] / 1e3:.0f}",
            f"{row['parameters'] / 1e3:.0f}",
            f"{row['mean']:.2f} %",
            f"{row['deviation']:.2f}",
            f"{min(row['samples']):.2f}",
            f"{max(row['samples']):.2f}",
        )
    return table


def _settings(data: TrainingData, seed: int) -> Settings:
    """The recipe of the model in the box, shorter."""
    return Settings(
        model="",
        classes=data.classes,
        input_size=(32, 32),
        data=data.digest,
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        lr=0.1,
        least_crop=0.8,
        jitter=0.0,
        flip=False,
        bn_batches=10,
        seed=seed,
    )


def _key(network: AblationNetwork, seed: int) -> str:
    return f"{network.name}, seed {seed}"


def _row(
    network: AblationNetwork, target: CompileTarget, data: TrainingData, samples: Sequence[float]
) -> Row:
    row = report_row(
        "ablation",
        target,
        network=None,
        engine="pytorch",
        level=None,
        threads=1,
        kind="measured",
        unit="% top-1",
        samples=samples,
    )
    module = network.build(data.classes)
    return row | {
        "model": network.name,
        "input": "32x32",
        "groups": network.groups,
        "shuffle": network.shuffle,
        "macs": total_macs(layer_workloads(module, (1, 3, 32, 32))),
        "parameters": count_parameters(module),
        "epochs": EPOCHS,
        "held_out": len(data.held_out),
        "mean": statistics.mean(samples),
        "deviation": statistics.stdev(samples) if len(samples) > 1 else 0.0,
    }


def _identity(data: TrainingData, revision: str) -> dict[str, Any]:
    """What an accuracy depends on beside network and seed; as JSON has it."""
    recipe = {name: value for name, value in _settings(data, 0).as_dict().items() if name != "seed"}
    return {"revision": revision, "recipe": recipe}


def _read(partial: Path, of: dict[str, Any]) -> dict[str, float]:
    """What the run of `of` had when it was interrupted."""
    if not partial.exists():
        return {}
    try:
        content = json.loads(partial.read_text(encoding="utf-8"))
        found, done = dict(content["of"]), dict(content["done"])
    except (ValueError, KeyError, TypeError) as error:
        raise ReportError(f"{partial} is damaged ({error}): remove it") from error
    if found != of:
        other = [name for name in of if found.get(name) != of[name]]
        raise ReportError(
            f"{partial} is of another run (of another {' and '.join(other)}): remove it, or check "
            "out what it is of"
        )
    return done
