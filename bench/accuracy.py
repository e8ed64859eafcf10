"""What each number format costs in accuracy: classes, logits, and where in the network it is lost.

The networks of `accuracy_subjects.py` are built in every number format that the target's core
computes in and run on a board: an emulated or a real one computes as silicon does, this machine
converts float16.

The errors by layer come from a library of the same network that gives every layer's output, too
(`model/layer_outputs.py`): the root of the mean squared error, as a share of the standard deviation
of what the layer has to give, of each of 20 pictures of all classes. They add up along the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from bench.accuracy_subjects import Subject
from bench.layer_errors import layer_errors
from bench.our_networks import our_row
from bench.over_pictures import predictions_of, target_on
from bench.provenance import is_one_state
from bench.rows import Row
from compile.lower import Lowered, lower
from compile.targets import CompileTarget
from compile.tuning.decisions import TUNING_LOGS, recorded_decisions
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.cores import Dtype
from model.cli import phase
from model.labelled_pictures import spread
from model.partial_results import partial_of
from model.predictions import KEPT, Prediction, accuracy, agreement

LAYER_PICTURES = 20  # that errors by layer are taken of
LOGITS_UNIT = "of the logits' range"
LAYER_UNIT = "of the layer's deviation"


def measure_accuracy(
    subject: Subject,
    targets: dict[Dtype, CompileTarget],
    board: BoardSpec,
    level: str,
    json_path: Path,
    revision: str,
) -> Iterator[Row]:
    """A row a number format, then one for each of its layers.

    Predictions of committed code are kept, so that an interrupted run goes on: `partial_of` each
    subject and number format is left behind, to be removed once the report is written.
    """
    torch.set_num_threads(1)  # one picture at a time is too little for more, on a busy machine
    networks = subject.network(), subject.layers()
    decisions = recorded_decisions(TUNING_LOGS, next(iter(targets.values())).core)
    for dtype, target in targets.items():
        calibration = subject.calibration(networks[0]) if dtype == "int8" else None
        whole, layers = (
            lower(each, level, target, decisions=decisions, calibration=calibration)
            for each in networks
        )
        what = {"data": subject.data, "dtype": dtype, "board": str(board), "level": level,
                "target": target.name, "revision": revision}  # fmt: skip
        partial = partial_of(json_path, subject.data, dtype) if is_one_state(revision) else None
        with phase(f"{subject.data} in {dtype} on {board}, {len(subject.pictures)} pictures"):
            predictions = predictions_of(
                whole, board, subject.pictures, subject.reference, what=what, partial=partial
            )
        with phase(f"layers of {subject.data} in {dtype} on {board}"):
            some = spread(subject.pictures, LAYER_PICTURES)
            errors = layer_errors(layers, networks[1].references, board, some)
        yield _row(subject, whole, board, predictions)
        yield from (
            _layer_row(layers, board, subject.data, *of_layer) for of_layer in errors.items()
        )


def _row(
    subject: Subject, lowered: Lowered, board: BoardSpec, predictions: Sequence[Prediction]
) -> Row:
    judged, compared = accuracy(predictions), agreement(predictions)
    errors = [each.reference_error / each.reference_range for each in predictions]
    return _base_row(lowered, board, subject.data, LOGITS_UNIT, errors) | {
        "pictures": len(predictions),
        "top1": judged["top1"],
        "top5": judged[f"top{KEPT}"],
        "agree": compared["agree"],
        "same_best": compared[f"same_top{KEPT}"],
        "largest_error": max(errors),
    }


def _layer_row(
    lowered: Lowered, board: BoardSpec, data: str, layer: str, errors: Sequence[float]
) -> Row:
    return _base_row(lowered, board, data, LAYER_UNIT, errors) | {
        "layer": layer,
        "pictures": len(errors),
        "largest_error": max(errors),
    }


def _base_row(
    lowered: Lowered, board: BoardSpec, data: str, unit: str, samples: Sequence[float]
) -> Row:
    """`converted` says that the machine has no arithmetic of its own in the number format,
    `calibrated_on` what int8 is, elsewhere None.

    There is no interval: samples are of different pictures, not of one figure again.
    """
    target = lowered.target
    row = our_row("accuracy", lowered, "measured", unit, samples)
    runs_on = target_on(target, board).core
    converted = target.dtype == "float16" and not runs_on.half
    return row | {
        "interval": None,
        "dtype": target.dtype,
        "data": data,
        "board": str(board),
        "converted": converted,
        "calibrated_on": lowered.network.provenance.get("calibrated_on"),
        "target": target.name.removesuffix(f"-{target.dtype}"),
    }
