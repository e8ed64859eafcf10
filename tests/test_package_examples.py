"""The package of a backbone shows every output, and writes what PyTorch gives, here and on ARM."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from compile.network import Network
from compile.verify import verify_outputs
from deploy_rpc import package
from model.outputs import SeveralOutputsError
from model.preprocess import PREPROCESSINGS, load_image
from tests.packages import AARCH64, HOST, build_example, make_package, picture
from tests.small_networks import MAPS, small_maps
from tests.test_package import needs

LINE = re.compile(r"^(\w+)  ([\dx]+)  least (\S+)  mean (\S+)  largest (\S+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def network() -> Network:
    return small_maps()


@pytest.fixture(scope="module")
def on_host(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked package for this machine."""
    return make_package(network, HOST, tmp_path_factory.mktemp("host"))


def test_both_examples_write_every_output(network: Network, on_host: Path, tmp_path: Path) -> None:
    image = picture(tmp_path / "picture.ppm", (60, 80))
    in_c = build_example(on_host, HOST, "maps")
    for command in (in_c, [sys.executable, "-I", "-S", str(on_host / "maps.py")]):
        _check(command, network, image, tmp_path / "values.raw")


def test_the_c_example_writes_every_output_on_arm(network: Network, tmp_path: Path) -> None:
    needs(AARCH64)
    command = build_example(make_package(network, AARCH64, tmp_path), AARCH64, "maps")
    _check(command, network, picture(tmp_path / "picture.ppm", (60, 80)), tmp_path / "values.raw")


def test_the_readme_lists_the_outputs_and_names_need_classes(on_host: Path, tmp_path: Path) -> None:
    readme = (on_host / "README.md").read_text()
    assert "| `stride2` | 1x12x11x11 |\n| `stride4` | 1x24x6x6 |" in readme
    assert "$" not in readme.replace("$ORIGIN", "")
    (library,) = on_host.glob("*.so")
    labels = tmp_path / "labels.txt"
    labels.write_text("cat\n")
    with pytest.raises(SeveralOutputsError, match="gives no classes but 2 outputs"):
        package.main([str(library), "--labels", str(labels), "--out", str(tmp_path / "again")])
    assert not (tmp_path / "again").exists()


def _check(command: list[str], network: Network, image: Path, raw: Path) -> None:
    words = [*command, str(image), str(raw)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    x = load_image(image, PREPROCESSINGS[network.preprocessing], network.input_shape[2:])
    expected = network.references(x)
    first = network.outputs[0]
    values = np.split(np.fromfile(raw, np.float32), [first.values])
    outputs = [v.reshape(s) for v, s in zip(values, network.output_shapes, strict=True)]
    verify_outputs(outputs, network, expected, level="fused", where=command[-1])
    lines = LINE.findall(done.stdout)
    assert [name for name, *_ in lines] == list(MAPS)
    for (_, shape, *numbers), wanted in zip(lines, expected, strict=True):
        assert shape == "x".join(map(str, wanted.shape))
        of_pytorch = [wanted.min(), wanted.mean(), wanted.max()]
        # four digits are printed
        np.testing.assert_allclose([float(n) for n in numbers], of_pytorch, atol=2e-4)
