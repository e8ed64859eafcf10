"""The pictures of a training run as tensors: what each looks like depends on no state.

A picture of an epoch is drawn from the run's seed, the epoch and the picture's number alone, so it
is the same whichever process or worker loads it, and whether the run was interrupted or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from model.labelled_pictures import LabelledPicture
from model.preprocess import PREPROCESSINGS, as_input, decode_image, load_image
from model.training.augment import augmented
from model.training.settings import Settings

ORDER, PICTURE = 1, 2  # what is drawn: tells the two streams of one seed apart
THUMBNAIL_BYTES = 1 << 13  # 50x50 pixels: a million of them are 8 GB
Place = tuple[int, int]
"""Epoch, and the picture's number."""


class TrainingPictures(Dataset):
    """By epoch and number: the picture, newly cropped and coloured, (3, H, W), and its class.

    Thumbnails are kept in memory once they are decoded.
    """

    def __init__(self, pictures: Sequence[LabelledPicture], settings: Settings) -> None:
        self._pictures = pictures
        self._settings = settings
        self._thumbnails: dict[int, np.ndarray] = {}

    def __getitem__(self, place: Place) -> tuple[Tensor, int]:
        epoch, number = place
        random = np.random.default_rng([PICTURE, self._settings.seed, epoch, number])
        pixels = augmented(Image.fromarray(self._decoded(number)), self._settings, random)
        x = as_input(pixels, PREPROCESSINGS[self._settings.preprocessing])
        return torch.from_numpy(x[0]), self._pictures[number].true_class

    def _decoded(self, number: int) -> np.ndarray:
        pixels = self._thumbnails.get(number)
        if pixels is None:
            pixels = decode_image(self._pictures[number].path)
            if pixels.nbytes <= THUMBNAIL_BYTES:
                self._thumbnails[number] = pixels
        return pixels


class HeldOutPictures(Dataset):
    """By number: the picture as `evaluate.py` sees it, (3, H, W), and its class."""

    def __init__(self, pictures: Sequence[LabelledPicture], settings: Settings) -> None:
        self._pictures = pictures
        self._settings = settings

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        picture, settings = self._pictures[number], self._settings
        preprocessing = PREPROCESSINGS[settings.preprocessing]
        x = load_image(picture.path, preprocessing, settings.input_size)
        return torch.from_numpy(x[0]), picture.true_class


class Batches(Sampler[list[Place]]):
    """The share of process `rank` of each batch from update `first` up to `last`.

    An epoch is a permutation of all `pictures` less what does not fill a batch; it depends on seed
    and epoch alone.
    """

    def __init__(
        self, pictures: int, settings: Settings, first: int, last: int, rank: int = 0
    ) -> None:
        self._pictures = pictures
        self._settings = settings
        self._steps = range(first, last)
        self._rank = rank

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[Place]]:
        settings, known, order = self._settings, -1, np.empty(0, np.int64)
        for step in self._steps:
            epoch, batch = divmod(step, self._pictures // settings.batch_size)
            if epoch != known:
                random = np.random.default_rng([ORDER, settings.seed, epoch])
                known, order = epoch, random.permutation(self._pictures)
            numbers = order[batch * settings.batch_size :][: settings.batch_size]
            yield [(epoch, int(number)) for number in numbers[self._rank :: settings.processes]]


def training_loader(
    pictures: Sequence[LabelledPicture], settings: Settings, batches: Batches, workers: int
) -> DataLoader:
    """(x, classes) of each of `batches`, loaded by `workers` processes."""
    data = TrainingPictures(pictures, settings)
    return DataLoader(data, batch_sampler=batches, num_workers=workers, pin_memory=_pinned())


def held_out_loader(
    pictures: Sequence[LabelledPicture], settings: Settings, workers: int
) -> DataLoader:
    """(x, classes) of all `pictures` in order, in batches as one process trains on."""
    size = settings.batch_size // settings.processes
    data = HeldOutPictures(pictures, settings)
    return DataLoader(data, batch_size=size, num_workers=workers, pin_memory=_pinned())


def _pinned() -> bool:
    """Memory that a GPU copies from while the processor goes on."""
    return torch.cuda.is_available()
