"""Any picture becomes the tensor that the network was trained on."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model import preprocess
from model.preprocess import PREPROCESSINGS, ImageError, load_image

BGR, RGB = PREPROCESSINGS["bgr255"], PREPROCESSINGS["imagenet"]
SIZE = (32, 32)


def saved(image: Image.Image, folder: Path, name: str = "picture.png", **options: object) -> Path:
    path = folder / name
    image.save(path, **options)
    return path


def noise(height: int, width: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("size", [(224, 224), (480, 640), (33, 17)])
@pytest.mark.parametrize("source", [(300, 200), (1, 1), (50, 500)])
def test_any_picture_fills_any_size(
    size: tuple[int, int], source: tuple[int, int], tmp_path: Path
) -> None:
    x = load_image(saved(noise(*source), tmp_path), BGR, size)
    assert (x.shape, x.dtype, x.flags.c_contiguous) == ((1, 3, *size), np.float32, True)
    assert 0 <= x.min() <= x.max() <= 255


def test_the_official_convention_is_blue_first_from_0_to_255(tmp_path: Path) -> None:
    path = saved(Image.new("RGB", (40, 40), (10, 20, 30)), tmp_path)
    assert load_image(path, BGR, SIZE)[0, :, 0, 0].tolist() == [30, 20, 10]


def test_the_other_convention_is_red_first_and_normalised(tmp_path: Path) -> None:
    path = saved(Image.new("RGB", (40, 40), (10, 20, 30)), tmp_path)
    expected = (np.array([10, 20, 30]) / 255 - RGB.mean) / RGB.std
    np.testing.assert_allclose(load_image(path, RGB, SIZE)[0, :, 5, 5], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("image", "rgb"),
    [
        (Image.new("L", (40, 40), 77), (77, 77, 77)),
        (Image.new("1", (40, 40), 1), (255, 255, 255)),
        (Image.new("RGBA", (40, 40), (10, 20, 30, 0)), (255, 255, 255)),
        (Image.new("RGBA", (40, 40), (10, 20, 30, 255)), (10, 20, 30)),
        (Image.new("LA", (40, 40), (50, 255)), (50, 50, 50)),
        (Image.fromarray(np.full((40, 40), 77 * 256, np.uint16)), (77, 77, 77)),
        (Image.new("RGB", (40, 40), (255, 0, 0)).quantize(4), (255, 0, 0)),
    ],
    ids=["grey", "bilevel", "transparent", "opaque", "grey alpha", "16-bit", "palette"],
)
def test_every_mode_becomes_rgb(
    image: Image.Image, rgb: tuple[int, int, int], tmp_path: Path
) -> None:
    assert load_image(saved(image, tmp_path), BGR, SIZE)[0, ::-1, 9, 9].tolist() == list(rgb)


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    path = saved(Image.new("CMYK", (40, 40), (0, 255, 255, 0)), tmp_path, "picture.jpg")
    blue, green, red = load_image(path, BGR, SIZE)[0, :, 9, 9]
    assert red > 200
    assert max(blue, green) < 50


def test_the_camera_s_orientation_is_applied(tmp_path: Path) -> None:
    upright = noise(40, 40)
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees clockwise to view"
    lying = saved(upright.rotate(90, expand=True), tmp_path, "lying.png", exif=exif)
    expected = load_image(saved(upright, tmp_path), BGR, SIZE)
    np.testing.assert_array_equal(load_image(lying, BGR, SIZE), expected)


def test_pixels_are_interpolated_at_half_pixel_centres_without_antialiasing(
    tmp_path: Path,
) -> None:
    """224 asked for: the short side becomes 256, here from 100, a plain bilinear upscale."""
    source = np.asarray(noise(100, 100)).astype(np.float64)
    centres = np.clip((np.arange(256) + 0.5) * 100 / 256 - 0.5, 0, 99)
    low = np.minimum(centres.astype(int), 98)
    share = (centres - low)[:, None]
    rows = source[low] * (1 - share[..., None]) + source[low + 1] * share[..., None]
    both = rows[:, low] * (1 - share) + rows[:, low + 1] * share
    expected = both.round()[16:240, 16:240]
    x = load_image(saved(noise(100, 100), tmp_path), BGR, (224, 224))[0, ::-1]
    # a half may be rounded up or down by float32
    assert np.abs(x.transpose(1, 2, 0) - expected).max() <= 1


def test_a_thin_picture_is_not_scaled_up_whole(tmp_path: Path) -> None:
    """60 thousand pixels, which scaled as a whole would be a thousand million (11 GB)."""
    path = saved(Image.new("RGB", (30_000, 2)), tmp_path)
    tracemalloc.start()
    try:
        load_image(path, BGR, (224, 224))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2e7  # the four neighbours of 224x224 places are 2.4 MB in float32


def test_a_missing_picture_is_told_from_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"none\.png: No such file"):
        load_image(tmp_path / "none.png", BGR, SIZE)


def test_a_file_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.jpg"
    path.write_text("no picture")
    with pytest.raises(ImageError, match=r"notes\.jpg is no picture"):
        load_image(path, BGR, SIZE)


def test_a_picture_cut_in_half_is_refused(tmp_path: Path) -> None:
    path = saved(noise(100, 100), tmp_path, "cut.jpg")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=r"cut\.jpg cannot be decoded"):
        load_image(path, BGR, SIZE)


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(Image.new("L", (200, 200)), tmp_path)
    monkeypatch.setattr(preprocess.Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ImageError, match="too large"):
        load_image(path, BGR, SIZE)


@pytest.mark.parametrize("error", [struct.error, TypeError, NotImplementedError])
def test_whatever_a_decoder_raises_is_an_image_error(
    error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(image: Image.Image) -> Image.Image:
        raise error("damaged")

    monkeypatch.setattr(preprocess.ImageOps, "exif_transpose", damaged)
    with pytest.raises(ImageError, match="cannot be decoded"):
        load_image(saved(noise(9, 9), tmp_path), BGR, SIZE)
