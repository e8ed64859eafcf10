"""Any picture file to a network's input, in either of the two conventions in use."""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from model.errors import InputError

CROP_SIDE, RESIZE_SIDE = 224, 256  # the short side is scaled to 256 where 224 are cropped
TRANSPARENT_BECOMES = (255, 255, 255)
DECODING_ERRORS = (  # what Pillow raises of damaged pictures and damaged EXIF
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    NotImplementedError,
    struct.error,
)


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


def preprocessing_name(preprocessing: Preprocessing) -> str:
    """What `PREPROCESSINGS` calls it."""
    return next(name for name, known in PREPROCESSINGS.items() if known == preprocessing)


def load_image(path: Path, preprocessing: Preprocessing, size: tuple[int, int]) -> np.ndarray:
    """The picture at `path` as float32 (1, 3, H, W), `size` being (H, W).

    Scaled so that it covers 256/224 of `size`, as the official code does with cv2's bilinear
    resize (no antialiasing), then cropped at the centre. EXIF orientation is applied, transparency
    becomes white, grey becomes RGB. Raises `ImageError`.
    """
    return as_input(_resize_and_crop(decode_image(path), size), preprocessing)


def as_input(pixels: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """uint8 RGB (H, W, 3) as float32 (1, 3, H, W)."""
    if preprocessing.channel_order == "BGR":
        pixels = pixels[:, :, ::-1]
    values = pixels.astype(np.float32) * np.float32(preprocessing.max_value / 255)
    values = (values - np.float32(preprocessing.mean)) / np.float32(preprocessing.std)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def decode_image(path: Path) -> np.ndarray:
    """The picture at `path` as RGB, uint8 (H, W, 3). Raises `ImageError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return np.asarray(_to_rgb(ImageOps.exif_transpose(image)))
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise ImageError(f"expected a picture at {path}: {error.strerror}") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{path} is no picture that Pillow can read (JPEG, PNG, ...)") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{path} is too large a picture: {error}") from error
    except DECODING_ERRORS as error:
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
    """(H, W, 3) of `size`, the centre of the scaled picture, of which no more is computed."""
    factor = max(size[0] / pixels.shape[0], size[1] / pixels.shape[1]) * RESIZE_SIDE / CROP_SIDE
    rows, row_share = _source_positions(pixels.shape[0], factor, size[0])
    columns, column_share = _source_positions(pixels.shape[1], factor, size[1])
    corners = pixels[rows[:, None, :, None], columns[None, :, None, :]]  # (2, 2, H, W, 3)
    edges = _blend(corners.astype(np.float32), row_share[:, None, None])
    return np.rint(_blend(edges, column_share[:, None])).astype(np.uint8)


def _source_positions(extent: int, factor: float, crop: int) -> tuple[np.ndarray, np.ndarray]:
    """The two neighbours (2, crop) of each output place along an axis, and the second's share.

    Half-pixel centres, no antialiasing, edges repeated: what cv2.INTER_LINEAR does.
    """
    scaled = max(round(extent * factor), crop)
    first = round((scaled - crop) / 2)
    centres = (np.arange(first, first + crop) + 0.5) * (extent / scaled) - 0.5
    low = np.floor(centres)
    neighbours = np.clip(np.stack([low, low + 1]), 0, extent - 1).astype(np.int64)
    return neighbours, (centres - low).astype(np.float32)


def _blend(pair: np.ndarray, share: np.ndarray) -> np.ndarray:
    return pair[0] + (pair[1] - pair[0]) * share
