"""Random crops, flips and colours: torchvision's definitions, by Pillow and NumPy.

torchvision itself is not used: its wheels are built for PyTorch with CUDA and do not import beside
the CPU build of it.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageEnhance

from model.training.settings import Settings

LEAST_RATIO, MOST_RATIO = 3 / 4, 4 / 3  # of a crop's width and height
TRIES = 10  # of a crop that lies inside the picture
ENHANCERS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


def augmented(image: Image.Image, settings: Settings, random: np.random.Generator) -> np.ndarray:
    """An RGB picture as uint8 (H, W, 3) of `settings.input_size`; `random` decides alone."""
    height, width = settings.input_size
    box = random_box(image.width, image.height, settings.least_crop, random)
    image = image.resize((width, height), Image.Resampling.BILINEAR, box=box)
    if settings.flip and random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(_recoloured(image, settings.jitter, random))


def random_box(
    width: int, height: int, least: float, random: np.random.Generator
) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of `least` to all of the area, a third wider or higher at most.

    Where no such box is found inside the picture, the largest in its centre.
    """
    for _ in range(TRIES):
        area = width * height * random.uniform(least, 1)
        ratio = math.exp(random.uniform(math.log(LEAST_RATIO), math.log(MOST_RATIO)))
        across, down = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if across <= width and down <= height:
            left, top = random.uniform(0, width - across), random.uniform(0, height - down)
            return left, top, left + across, top + down
    across, down = min(width, height * MOST_RATIO), min(height, width / LEAST_RATIO)
    left, top = (width - across) / 2, (height - down) / 2
    return left, top, left + across, top + down


def _recoloured(image: Image.Image, jitter: float, random: np.random.Generator) -> Image.Image:
    """Brightness, contrast and saturation, in any order, each times 1 - jitter to 1 + jitter."""
    if jitter:
        for index in random.permutation(len(ENHANCERS)):
            factor = random.uniform(max(0, 1 - jitter), 1 + jitter)
            image = ENHANCERS[index](image).enhance(factor)
    return image
