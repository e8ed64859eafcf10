"""A folder of pictures whose classes are known: class folders, or a labels.csv beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from model.labels import LabelsError, read_true_classes

PICTURE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
LABELS, IMAGES = "labels.csv", "images"

T = TypeVar("T")


@dataclass(frozen=True)
class LabelledPicture:
    """`name` is the path below the folder it was found in, the same on every machine."""

    path: Path
    name: str
    true_class: int


def labelled_pictures(folder: Path, classes: int) -> list[LabelledPicture]:
    """All pictures of `folder` with their classes, in an order that does not change.

    With a `labels.csv` (columns file,label), those that it names, in `folder` or its `images`.
    Without one, those in the folders of `folder`: class i is the folder that comes i-th by name, or
    is called i. Raises `LabelsError` where a picture is missing, or classes are not `classes`.
    """
    if (folder / LABELS).is_file():
        return _of_table(folder, classes)
    by_class = class_folders(folder)
    numbered = all(place.name.isdecimal() for place in by_class.values())
    if max(by_class) >= classes or (not numbered and len(by_class) != classes):
        first, *_, last = (place.name for place in (*by_class.values(), *by_class.values()))
        raise LabelsError(
            f"{folder} has {len(by_class)} class folders, {first} to {last}, the network {classes} "
            f"classes: expected one for each, or folders named by number, or {LABELS}"
        )
    pictures = [
        LabelledPicture(path, f"{place.name}/{path.name}", number)
        for number, place in by_class.items()
        for path in sorted(place.iterdir())
        if path.suffix.lower() in PICTURE_SUFFIXES
    ]
    if not pictures:
        raise LabelsError(f"no picture in the class folders of {folder}")
    return pictures


def spread(items: Sequence[T], count: int | None) -> list[T]:
    """`count` of `items`, or all, at equal distances: pictures stand by class, the first in one."""
    if count is None or count >= len(items):
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]


def class_folders(folder: Path) -> dict[int, Path]:
    """The folder of each class in `folder`, in the order of their names.

    Class i is the folder that comes i-th, or, where all names are numbers, is called i. Raises
    `LabelsError` where there is none.
    """
    places = sorted(path for path in folder.iterdir() if path.is_dir())
    if not places:
        raise LabelsError(
            f"expected {LABELS} (columns file,label) or a folder for each class in {folder}, found "
            "neither"
        )
    numbered = all(place.name.isdecimal() for place in places)
    return {int(p.name) if numbered else index: p for index, p in enumerate(places)}


def _of_table(folder: Path, classes: int) -> list[LabelledPicture]:
    pictures = []
    for name, true_class in read_true_classes(folder / LABELS, classes).items():
        path = next((p for p in (folder / name, folder / IMAGES / name) if p.is_file()), None)
        if path is None:
            raise LabelsError(
                f"{folder / LABELS} names {name}, which is neither in {folder} nor in "
                f"{folder / IMAGES}: copy it there, or take its line away"
            )
        pictures.append(LabelledPicture(path, name, true_class))
    if not pictures:
        raise LabelsError(f"{folder / LABELS} names no picture")
    return pictures
