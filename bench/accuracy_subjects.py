"""Trained networks with labelled pictures to judge them by: the digits, and what is named.

The digits model comes along, with its 359 held-out pictures; int8 of it is calibrated on those that
it was trained on, without their labels, a named checkpoint on up to 100 of those that it is judged
by. The reference is PyTorch's float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.over_pictures import remembered
from compile.frontend.torch_import import ONE_OUTPUT, import_torch
from compile.network import Network
from compile.quantise.inputs import Calibration, calibration_on_pictures
from model import digits
from model.checkpoints import LoadedCheckpoint, load_checkpoint
from model.cli import phase
from model.digits.pictures import DIGITS, HELD_OUT, TRAIN, DigitsError, digits_folder
from model.errors import InputError
from model.labelled_pictures import LabelledPicture, labelled_pictures, spread
from model.layer_outputs import LayerOutputs
from model.predictions import Run

DIGITS_WEIGHTS = Path(digits.__file__).parent / "shufflenet-0.25x-g3.safetensors"


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

    def calibration(self, network: Network) -> Calibration:
        """What int8 of `network`, this one with any outputs, is calibrated by."""
        with phase(f"pictures of {self.to_calibrate.name} to calibrate on"):
            return calibration_on_pictures(self.to_calibrate, network)


def subjects(
    weights: Path | None, data: Path | None, count: int | None = None
) -> tuple[list[Subject], dict[str, str]]:
    """The digits, and the checkpoint `weights` with the pictures in `data`; why one is not there.

    Of each `count` pictures of all classes, by default all. Raises `AccuracyError` where neither is
    there.
    """
    found, missing = [], {}
    try:
        folder = digits_folder()
        found.append(_subject(DIGITS, DIGITS_WEIGHTS, folder / HELD_OUT, folder / TRAIN, count))
    except DigitsError as error:
        missing[DIGITS] = str(error)
    if weights and data:
        found.append(_subject(data.name, weights, data, data, count))
    else:
        missing["pictures"] = "not named: --weights FILE --data DIR"
    if not found:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
        raise AccuracyError(f"no pictures to judge a network by: {reasons}")
    return found, missing


def _subject(
    data: str, weights: Path, folder: Path, to_calibrate: Path, count: int | None
) -> Subject:
    loaded = load_checkpoint(weights)
    pictures = spread(labelled_pictures(folder, loaded.classes), count)
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
