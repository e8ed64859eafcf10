"""A tree of pictures small enough to train on in a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("bright", "dark")
TRAINING, HELD_OUT = 8, 3  # of each class


def picture_tree(folder: Path) -> Path:
    """`train` and `val` of noise, the classes told by their brightness; returns `folder`."""
    random = np.random.default_rng(0)
    for split, count in (("train", TRAINING), ("val", HELD_OUT)):
        for name in CLASSES:
            (folder / split / name).mkdir(parents=True)
            for index in range(count):
                low, high = (128, 256) if name == "bright" else (0, 128)
                pixels = random.integers(low, high, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{index}.png")
    return folder
