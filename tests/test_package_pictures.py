"""The packaged C example of the trained network gives PyTorch's classes on ARM."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from model.preprocess import PREPROCESSINGS, load_image
from tests.packages import AARCH64, build_example, classes_of, make_package
from tests.test_package import needs
from tests.trained import trained_network

EVERY = 20  # pictures: one takes 0.4 s under emulation


def test_the_packaged_example_gives_pytorch_s_classes(
    checkpoint: Path, test_data: Path, tmp_path: Path
) -> None:
    """The same C for this machine is in tests/test_package.py, the pictures in test_pictures.py."""
    needs(AARCH64)
    network, names = trained_network(checkpoint), test_data / "imagenet_classes.txt"
    unpacked = make_package(network, AARCH64, tmp_path, "--labels", str(names))
    command = build_example(unpacked, AARCH64)
    label = names.read_text(encoding="utf-8").splitlines()
    for path in sorted((test_data / "imagenet_sample/images").iterdir())[::EVERY]:
        with Image.open(path) as image:
            ImageOps.exif_transpose(image).convert("RGB").save(tmp_path / "picture.ppm")
        best, _, name = classes_of(command, tmp_path / "picture.ppm", unpacked / "labels.txt")[0]
        expected = network.reference(load_image(path, PREPROCESSINGS["bgr255"], (224, 224)))
        assert best == int(expected.argmax()), path.name
        assert name == label[best]
