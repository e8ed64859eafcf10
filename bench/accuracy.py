"""What each number format costs in accuracy: classes, logits, and where in the network it is lost.

Two networks: the digits model that comes along, over its 359 held-out pictures, and, where weights
and pictures are named, that checkpoint over them. Each is built in every number format that the
target's core computes in and run on a board: an emulated or a real one computes as silicon does,
this machine converts float16. The reference is PyTorch's float32.

int8 is calibrated on pictures, without their labels: the digits on those that they were trained on,
the checkpoint on up to 100 of those that it is judged by.

The errors by layer come from a library of the same network that gives every layer's output, too
(`model/layer_outputs.py`): the root of the mean squared error, as a share of the standard deviation
of what the layer has to give, of each of the first pictures. They add up along the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.our_networks import our_row
from bench.over_pictures import loaded_on_board, predictions_of, remembered, target_on
from bench.provenance import is_one_state
from bench.rows import Row
from compile.frontend.torch_import import ONE_OUTPUT, import_torch
from compile.lower import Lowered, lower
from compile.network import Network
from compile.quantise.inputs import Calibration, calibration_on_pictures
from compile.targets import CompileTarget, TargetError, with_dtype
from compile.tuning.decisions import TUNING_LOGS, recorded_decisions
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.cores import DTYPES, Core, Dtype
from deploy_rpc.emulated_board import emulated_core
from deploy_rpc.host import machine_isa
from model import digits
from model.checkpoints import LoadedCheckpoint, load_checkpoint
from model.cli import phase
from model.digits.pictures import DIGITS, HELD_OUT, TRAIN, DigitsError, digits_folder
from model.errors import InputError
from model.labelled_pictures import LabelledPicture, labelled_pictures
from model.layer_outputs import LayerOutputs
from model.partial_results import partial_of
from model.predictions import KEPT, Prediction, Run, accuracy, agreement
from model.preprocess import PREPROCESSINGS, load_image

DIGITS_WEIGHTS = Path(digits.__file__).parent / "shufflenet-0.25x-g3.safetensors"
LAYER_PICTURES = 20  # that errors by layer are taken of
LOGITS_UNIT = "of the logits' range"
LAYER_UNIT = "of the layer's deviation"


class AccuracyError(InputError):
    """Nothing to measure accuracy by."""


@dataclass(frozen=True)
class Subject:
    """A trained network and labelled pictures, which the report calls `data`.

    int8 is calibrated on pictures below `to_calibrate`.
    """

    data: str
    loaded: LoadedCheckpoint
    pictures: Sequence[LabelledPicture]
    to_calibrate: Path
    reference: Run

    def network(self) -> Network:
        """With the logits as its only output."""
        return _imported(self.loaded, self.loaded.module, ONE_OUTPUT)

    def layers(self) -> Network:
        """With an output for each layer, the logits last."""
        module = LayerOutputs(self.loaded.module).eval()
        return _imported(self.loaded, module, dict.fromkeys(module.names))


def subjects(
    weights: Path | None, data: Path | None, first: int | None = None
) -> tuple[list[Subject], dict[str, str]]:
    """The digits, and the checkpoint `weights` with the pictures in `data`; why one is not there.

    Of each the `first` pictures, by default all. Raises `AccuracyError` where neither is there.
    """
    found, missing = [], {}
    try:
        folder = digits_folder()
        found.append(_subject(DIGITS, DIGITS_WEIGHTS, folder / HELD_OUT, folder / TRAIN, first))
    except DigitsError as error:
        missing[DIGITS] = str(error)
    if weights and data:
        found.append(_subject(data.name, weights, data, data, first))
    else:
        missing["pictures"] = "not named: --weights FILE --data DIR"
    if not found:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
        raise AccuracyError(f"no pictures to judge a network by: {reasons}")
    return found, missing


def offered_dtypes(
    target: CompileTarget, board: BoardSpec
) -> tuple[dict[Dtype, CompileTarget], dict[str, str]]:
    """The target in each number format that it and `board` compute in; why not others.

    This machine converts float16, but has no instruction for dot products of another one.
    """
    offered, missing = {}, {}
    for dtype in DTYPES:
        try:
            offered[dtype] = with_dtype(target, dtype)
            _require_arithmetic(dtype, target.core, board)
        except TargetError as error:
            offered.pop(dtype, None)
            missing[dtype] = str(error)
    return offered, missing


def _require_arithmetic(dtype: Dtype, core: Core, board: BoardSpec) -> None:
    """Raises `TargetError` where kernels for `core` have instructions that `board` lacks."""
    runs_on = emulated_core(board) if board.kind == "emulated" else None
    if dtype == "float16" and runs_on and not runs_on.half:
        raise TargetError(f"{board} has no float16 arithmetic (FEAT_FP16)")
    foreign = board.kind == "local" and core.isa != machine_isa()
    if dtype == "int8" and core.dot and (foreign or (runs_on and not runs_on.dot)):
        raise TargetError(
            f"int8 kernels for {core.name} need dot products (FEAT_DotProd), which {board} has "
            f"not; expected emulated:{core.name} or a board of this core"
        )


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
        calibration = _calibration(subject, networks[0]) if dtype == "int8" else None
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
            errors = layer_errors(
                layers, networks[1].references, board, subject.pictures[:LAYER_PICTURES]
            )
        yield _row(subject, whole, board, predictions)
        yield from (
            _layer_row(layers, board, subject.data, *of_layer) for of_layer in errors.items()
        )


def layer_errors(
    lowered: Lowered,
    references: Callable[[np.ndarray], Sequence[np.ndarray]],
    board: BoardSpec,
    pictures: Sequence[LabelledPicture],
) -> dict[str, list[float]]:
    """Of each output of `lowered` its error over each picture, as `relative_rms` has it, beside
    `references` in float32.
    """
    network = lowered.network
    preprocessing, size = PREPROCESSINGS[network.preprocessing], network.input_shape[2:]
    errors: dict[str, list[float]] = {output.name: [] for output in network.outputs}
    with loaded_on_board(lowered, board) as module:
        for picture in pictures:
            x = load_image(picture.path, preprocessing, size)
            pairs = zip(module.run_all(x), references(x), strict=True)
            for of_layer, (y, expected) in zip(errors.values(), pairs, strict=True):
                of_layer.append(relative_rms(y, expected))
    return errors


def relative_rms(y: np.ndarray, expected: np.ndarray) -> float:
    """The root of the mean squared error, as a share of the standard deviation of `expected`."""
    error = np.asarray(y, np.float64) - expected
    return float(np.sqrt(np.mean(error**2)) / (np.std(expected, dtype=np.float64) or 1.0))


def _calibration(subject: Subject, network: Network) -> Calibration:
    with phase(f"pictures of {subject.to_calibrate.name} to calibrate on"):
        return calibration_on_pictures(subject.to_calibrate, network)


def _subject(
    data: str, weights: Path, folder: Path, to_calibrate: Path, first: int | None
) -> Subject:
    loaded = load_checkpoint(weights)
    pictures = labelled_pictures(folder, loaded.classes)[:first]
    return Subject(data, loaded, pictures, to_calibrate, remembered(loaded.run))


def _imported(loaded: LoadedCheckpoint, module: Any, outputs: dict[str, None]) -> Network:  # noqa: ANN401
    return import_torch(
        module,
        name=loaded.name,
        input_shape=(1, 3, *loaded.input_size),
        preprocessing=loaded.preprocessing,
        provenance={"sha256": loaded.sha256},
        outputs=outputs,
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
