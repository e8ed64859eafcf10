"""The pictures that a run trains on and those held out, from an ImageNet-like tree."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.digits.pictures import DIGITS, HELD_OUT, TRAIN, digits_folder
from model.errors import InputError
from model.labelled_pictures import LABELS, LabelledPicture, class_folders, labelled_pictures


class TrainingDataError(InputError):
    """A folder without pictures to train on."""


@dataclass(frozen=True)
class TrainingData:
    """`held_out` may be empty. `digest` changes with names and classes of the training pictures."""

    training: Sequence[LabelledPicture]
    held_out: Sequence[LabelledPicture]
    classes: int
    digest: str


def training_data(data: str | Path) -> TrainingData:
    """`data`/train and, where it is there, `data`/val, each a folder a class; or the digits.

    Raises `TrainingDataError` where there is no `train` or `val` has other classes, `LabelsError`
    where a class has no name.
    """
    folder = digits_folder() if data == DIGITS else Path(data)
    if not (folder / TRAIN).is_dir():
        raise TrainingDataError(
            f"expected {folder / TRAIN} with a folder of pictures for each class, as ImageNet is "
            f"laid out, and the held-out ones in {folder / HELD_OUT}"
        )
    classes = 1 + max(class_folders(folder / TRAIN))
    training = labelled_pictures(folder / TRAIN, classes)
    has_held_out = (folder / HELD_OUT).is_dir()
    if has_held_out and not (folder / HELD_OUT / LABELS).is_file():
        _refuse_other_classes(folder / TRAIN, folder / HELD_OUT)
    held_out = labelled_pictures(folder / HELD_OUT, classes) if has_held_out else []
    names = "".join(f"{picture.name}\t{picture.true_class}\n" for picture in training)
    digest = hashlib.sha256(names.encode()).hexdigest()[:16]
    return TrainingData(training, held_out, classes, digest)


def _refuse_other_classes(training: Path, held_out: Path) -> None:
    """Classes are counted in the order of their names: those of both have to be the same.

    Folders named by number say which class they are, and some may be missing.
    """
    taught, asked = (
        {place.name for place in class_folders(folder).values()} for folder in (training, held_out)
    )
    if taught == asked or all(name.isdecimal() for name in taught | asked):
        return
    missing, unknown = sorted(taught - asked), sorted(asked - taught)
    raise TrainingDataError(
        f"expected the class folders of {training} in {held_out}, too; missing there: "
        f"{', '.join(missing) or 'none'}; only there: {', '.join(unknown) or 'none'}"
    )
