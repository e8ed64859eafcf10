"""scikit-learn's 1797 handwritten digits as a tree of pictures that all commands take.

8x8 pixels, white on black, ten classes (E. Alpaydin and C. Kaynak, Optical Recognition of
Handwritten Digits, UCI, CC BY 4.0; scikit-learn brings the test set of it along). Nothing is
downloaded.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from platformdirs import user_cache_path

from model.cli import existing_folder
from model.errors import InputError

DIGITS = "digits"  # what --data calls them
TRAIN, HELD_OUT = "train", "val"  # as ImageNet's folders are called
EVERY = 5  # one picture in so many is held out
MOST_GREY = 16  # of the data set
VERSION = 1  # of the tree: another one is another folder


class DigitsError(InputError):
    """The digits are not at hand, or cannot be written."""


def digits_folder(cache: Path | None = None) -> Path:
    """A folder with `train` and `val`, each with the folders 0 to 9 of PNG files.

    Every fifth picture is held out, 359 of 1797, and so it stays. Makes it where it is not in
    `cache` (default: the user's cache folder) yet; two programs may ask at once. Raises
    `DigitsError`.
    """
    folder = (cache or user_cache_path("shufflenet-compiled")) / f"{DIGITS}-{VERSION}"
    if not folder.is_dir():
        pictures, classes = _digits()
        try:
            _make(folder, pictures, classes)
        except OSError as error:
            raise DigitsError(
                f"cannot write the digits to {folder}: {error.strerror}; set XDG_CACHE_HOME to a "
                "folder you can write to"
            ) from error
    return folder


def data_folder(text: str) -> str | Path:
    """The word `digits`, or a path to a folder, for `type=`; `./digits` is a folder."""
    return text if text == DIGITS else existing_folder(text)


def _digits() -> tuple[np.ndarray, np.ndarray]:
    """uint8 (N, 8, 8) and the classes (N,)."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DigitsError(
            "the digits come with scikit-learn, which is not installed: "
            "pip install 'shufflenet-compiled[train]'"
        ) from error
    bunch = load_digits()
    return np.rint(bunch.images * (255 / MOST_GREY)).astype(np.uint8), bunch.target


def _make(folder: Path, pictures: np.ndarray, classes: np.ndarray) -> None:
    """Writes beside `folder` and renames: whole or not at all, whoever else asks."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as making:
        made = Path(making) / folder.name
        for index, (pixels, digit) in enumerate(zip(pictures, classes, strict=True)):
            split = HELD_OUT if index % EVERY == EVERY - 1 else TRAIN
            place = made / split / str(digit)
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(place / f"{index:04d}.png")
        try:
            made.rename(folder)
        except OSError:  # another program was faster: the same pictures
            if not folder.is_dir():
                raise
