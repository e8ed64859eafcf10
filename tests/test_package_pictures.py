"""The packaged C example of the trained network gives PyTorch's classes, here and on ARM."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from compile.build_options import parse_options
from compile.network import Network
from compile.source import import_network
from deploy_rpc import package
from model.preprocess import PREPROCESSINGS, load_image
from tests.packages import AARCH64, HOST, System, build_example, classes_of
from tests.test_build_cli import build
from tests.test_package import needs

EVERY = {"host": 1, "arm_cpu": 10}  # every how many pictures: one takes 0.4 s under emulation


@pytest.fixture(scope="module")
def trained(checkpoint: Path) -> Network:
    return import_network(parse_options(["--target", "host", "--weights", str(checkpoint)]))


@pytest.mark.parametrize("system", [HOST, AARCH64], ids=lambda system: system.target)
def test_the_packaged_example_gives_pytorch_s_classes(
    system: System, trained: Network, checkpoint: Path, test_data: Path, tmp_path: Path
) -> None:
    needs(system)
    options = ["--abi", system.abi, "--static"] if system.is_static else []
    result = build("--target", system.target, "--weights", checkpoint, *options, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    (library,) = (tmp_path / "build").glob("*.so")
    names = test_data / "imagenet_classes.txt"
    package.main([str(library), "--labels", str(names), "--out", str(tmp_path / "p.tar.gz")])
    with tarfile.open(tmp_path / "p.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / library.stem
    command = build_example(unpacked, system)
    label = names.read_text(encoding="utf-8").splitlines()
    for path in sorted((test_data / "imagenet_sample/images").iterdir())[:: EVERY[system.target]]:
        with Image.open(path) as image:
            ImageOps.exif_transpose(image).convert("RGB").save(tmp_path / "picture.ppm")
        best, _, name = classes_of(command, tmp_path / "picture.ppm", unpacked / "labels.txt")[0]
        expected = trained.reference(load_image(path, PREPROCESSINGS["bgr255"], (224, 224)))
        assert best == int(expected.argmax()), path.name
        assert name == label[best]
