"""Any picture file to a network's input, in either of the two conventions in use."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from model.errors import InputError

CROP_SIDE, RESIZE_SIDE = 224, 256  # the short side is scaled to 256 where 224 are cropped
TRANSPARENT_BECOMES = (255, 255, 255)


class ImageError(InputError):
    """A file that is no picture, or one that cannot be decoded."""


@dataclass(frozen=True)
class Preprocessing:
    """(value - mean) / std per channel, of values 0..`max_value` in `channel_order`."""

    channel_order: Literal["BGR", "RGB"]
    max_value: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


PREPROCESSINGS = {
    "bgr255": Preprocessing("BGR", 255.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),  # official ShuffleNet
    "imagenet": Preprocessing("RGB", 1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def load_image(path: Path, preprocessing: Preprocessing, size: tuple[int, int]) -> np.ndarray:
    """The picture at `path` as float32 (1, 3, H, W), `size` being (H, W).

    Scaled so that it covers 256/224 of `size`, as the official code does with cv2's bilinear
    resize (no antialiasing), then cropped at the centre. EXIF orientation is applied, transparency
    becomes white, grey becomes RGB. Raises `ImageError`.
    """
    pixels = _resize_and_crop(_decode(path), size)
    if preprocessing.channel_order == "BGR":
        pixels = pixels[:, :, ::-1]
    values = pixels.astype(np.float32) * np.float32(preprocessing.max_value / 255)
    values = (values - np.float32(preprocessing.mean)) / np.float32(preprocessing.std)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def _decode(path: Path) -> np.ndarray:
    """RGB, uint8 (H, W, 3)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return np.asarray(_to_rgb(ImageOps.exif_transpose(image)))
    except UnidentifiedImageError as error:
        raise ImageError(f"{path} is no picture that Pillow can read (JPEG, PNG, ...)") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{path} is too large a picture: {error}") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"{path} cannot be decoded: {error}; it may be cut off") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 or 32 bits of grey: keep the upper eight of sixteen
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, (*TRANSPARENT_BECOMES, 255))
        image = Image.alpha_composite(background, image)
    return image.convert("RGB")


def _resize_and_crop(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = pixels.shape[:2]
    scale = max(size[0] / height, size[1] / width) * RESIZE_SIDE / CROP_SIDE
    scaled = (max(round(height * scale), size[0]), max(round(width * scale), size[1]))
    pixels = _bilinear(pixels, scaled)
    top, left = round((scaled[0] - size[0]) / 2), round((scaled[1] - size[1]) / 2)
    return pixels[top : top + size[0], left : left + size[1]]


def _bilinear(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Half-pixel centres, no antialiasing, rounded to uint8: what cv2.INTER_LINEAR does."""
    planes = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()
    resized = torch.nn.functional.interpolate(
        planes, size=size, mode="bilinear", align_corners=False, antialias=False
    )
    return resized[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()
