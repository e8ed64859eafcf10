"""Class names and the true classes of pictures, read from text files."""

from __future__ import annotations

import csv
from pathlib import Path

from model.errors import InputError


class LabelsError(InputError):
    """A file of class names or of true classes that cannot be used."""


def read_class_names(path: Path, classes: int) -> list[str]:
    """One name a line, line i being class i; raises `LabelsError` unless there are `classes`."""
    try:
        names = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LabelsError(f"cannot read class names from {path}: {error}") from error
    if len(names) != classes:
        raise LabelsError(
            f"{path} has {len(names)} lines, the network {classes} classes: expected a name a line"
        )
    return names


def read_true_classes(path: Path, classes: int) -> dict[str, int]:
    """The class of each picture by file name, from a CSV with the columns `file` and `label`."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        truth = {row["file"]: int(row["label"]) for row in rows}
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise LabelsError(
            f"cannot read true classes from {path} ({type(error).__name__}: {error}); expected a "
            "CSV with the columns file,label"
        ) from error
    outside = [label for label in truth.values() if not 0 <= label < classes]
    if outside:
        raise LabelsError(f"{path}: label {outside[0]} is none of the network's {classes} classes")
    return truth
