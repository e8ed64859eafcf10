"""A package holds all that a board needs, and its examples give PyTorch's classes there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compile.network import Network
from compile.source import random_network
from deploy_rpc import package
from deploy_rpc.archive import ArchiveError
from deploy_rpc.built_library import ReportError, read_built_library
from deploy_rpc.package import PackageError
from deploy_rpc.package_examples import example_files
from model.preprocess import PREPROCESSINGS, load_image
from tests.packages import (
    AARCH64,
    ARMV7,
    HOST,
    ZIG,
    System,
    build_example,
    classes_of,
    make_package,
    picture,
)

SIDES = (64, 96)  # rows and columns of the small network's input
SYSTEMS = {  # with the threads of the library; the other tests here are of one thread
    "host, 2 threads": (HOST, 2),
    "aarch64 musl, 2 threads": (AARCH64, 2),
    "armv7 musl": (ARMV7, 1),
}


def needs(system: System) -> None:
    """Skips, by name, where the system cannot be emulated."""
    if system.emulator and shutil.which(system.emulator[0]) is None:
        pytest.skip(f"{system.emulator[0]} is not on the PATH (Debian: apt-get install qemu-user)")


@pytest.fixture(scope="module")
def network() -> Network:
    return random_network("shufflenet-0.25x-g1", input_size=SIDES, preprocessing="bgr255")


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "names.txt"
    path.write_text("".join(f"name {index}\n" for index in range(1000)))
    return path


@pytest.fixture(scope="module")
def on_host(network: Network, labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked package for this machine."""
    folder = tmp_path_factory.mktemp("host")
    return make_package(network, HOST, folder, "--labels", str(labels))


@pytest.fixture(scope="module")
def example(on_host: Path) -> list[str]:
    return build_example(on_host, HOST)


def in_python(unpacked: Path) -> list[str]:
    """The command that runs the example in Python."""
    return [sys.executable, "-I", "-S", str(unpacked / "classify.py")]


def assert_refuses(command: list[str], arguments: list[object], words: str) -> None:
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(words)


def expected_classes(network: Network, image: Path) -> list[tuple[int, float]]:
    """The five likeliest classes by PyTorch, with their probabilities."""
    scores = network.reference(load_image(image, PREPROCESSINGS[network.preprocessing], SIDES))[0]
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    return [(int(i), float(shares[i])) for i in np.argsort(-shares, kind="stable")[:5]]


@pytest.mark.parametrize(("system", "threads"), SYSTEMS.values(), ids=SYSTEMS)
def test_the_c_example_gives_pytorch_s_classes(
    system: System, threads: int, network: Network, tmp_path: Path
) -> None:
    needs(system)
    unpacked = make_package(network, system, tmp_path, threads=threads)
    command = build_example(unpacked, system)
    for seed, size in enumerate([(80, 120), (333, 100), (64, 96)]):
        image = picture(tmp_path / "picture.ppm", size, seed)
        found = classes_of(command, image)
        assert [index for index, _, _ in found] == [i for i, _ in expected_classes(network, image)]
        shares = [share for _, share, _ in found]
        wanted = [share for _, share in expected_classes(network, image)]
        assert shares == pytest.approx(wanted, abs=2e-4)  # four digits are printed


def test_the_python_example_needs_no_package(
    network: Network, on_host: Path, tmp_path: Path
) -> None:
    image = picture(tmp_path / "picture.ppm", (100, 140))
    found = classes_of(in_python(on_host), image, on_host / "labels.txt")
    assert [index for index, _, _ in found] == [i for i, _ in expected_classes(network, image)]
    assert found[0][2] == f"name {found[0][0]}"


def test_both_examples_take_a_raw_tensor(
    network: Network, on_host: Path, example: list[str], tmp_path: Path
) -> None:
    image = picture(tmp_path / "picture.ppm", (100, 140))
    raw = tmp_path / "tensor.raw"
    load_image(image, PREPROCESSINGS["bgr255"], SIDES).tofile(raw)
    expected = [index for index, _ in expected_classes(network, image)]
    for command in (example, in_python(on_host)):
        assert [index for index, _, _ in classes_of(command, raw)] == expected


def test_a_ppm_with_comments_is_read(on_host: Path, example: list[str], tmp_path: Path) -> None:
    plain = picture(tmp_path / "plain.ppm", (90, 70))
    commented = tmp_path / "commented.ppm"
    pixels = plain.read_bytes()[-90 * 70 * 3 :]
    commented.write_bytes(b"P6 # made by hand\n# two of them\n70\t90\n255\n" + pixels)
    for command in (example, in_python(on_host)):
        assert classes_of(command, commented) == classes_of(command, plain)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"P6\n70 90\n255\n" + bytes(100), "ends before its last pixel"),
        (b"P6\n70 90\n65535\n", "expected a binary PPM of 8 bits"),
        (b"P6\n-1 90\n255\n", "expected a binary PPM of 8 bits"),
        (b"P6\n70 # no more", "expected a binary PPM of 8 bits"),
        (b"P6\nnan nan\n255\n", "expected a binary PPM of 8 bits"),
        (b"P5\n70 90\n255\n", "expected a binary PPM (P6)"),
        (b"", "expected a binary PPM (P6)"),
    ],
)
def test_a_file_that_is_no_picture_is_named(
    content: bytes, words: str, on_host: Path, example: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "picture.ppm"
    path.write_bytes(content)
    for command in (example, in_python(on_host)):
        assert_refuses(command, [path], f"classify: {path}: {words}")


def test_labels_that_are_missing_or_too_few_are_named(
    on_host: Path, example: list[str], tmp_path: Path
) -> None:
    image, few = picture(tmp_path / "picture.ppm", (90, 70)), tmp_path / "few.txt"
    few.write_text("")
    for command in (example, in_python(on_host)):
        assert_refuses(command, [image, few], f"classify: {few}: has fewer lines than classes")
        assert_refuses(command, [image, "none.txt"], "classify: none.txt: cannot be opened")
        assert_refuses(command, ["none.ppm"], "classify: none.ppm: cannot be opened")


def test_a_name_longer_than_is_shown_is_one_line_all_the_same(
    on_host: Path, example: list[str], tmp_path: Path
) -> None:
    image, names = picture(tmp_path / "picture.ppm", (90, 70)), tmp_path / "names.txt"
    names.write_text("".join(f"{index}: {'long ' * 100}\n" for index in range(1000)))
    for command in (example, in_python(on_host)):
        for index, _, name in classes_of(command, image, names):
            assert name.startswith(f"{index}: long ")


def test_wrong_usage_of_the_example_exits_2(example: list[str]) -> None:
    done = subprocess.run(example, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "usage:" in done.stderr


def test_the_package_holds_what_its_readme_names(network: Network, on_host: Path) -> None:
    stem = f"{network.name}.host"
    named = {f"{stem}.so", f"{stem}.h", f"{stem}.json", "classify.c", "classify.py", "README.md",
             "preprocessing.json", "labels.txt", "LICENSE"}  # fmt: skip
    assert {path.name for path in on_host.iterdir()} >= named
    constants = json.loads((on_host / "preprocessing.json").read_text())
    assert constants["channel_order"] == "BGR"
    assert constants["input_shape"] == list(network.input_shape)
    assert "$" not in (on_host / "README.md").read_text().replace("$ORIGIN", "")


def test_the_same_library_makes_the_same_package(on_host: Path, tmp_path: Path) -> None:
    (library,) = on_host.glob("*.so")
    for name in ("one", "two"):
        package.main([str(library), "--out", str(tmp_path / name)])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with tarfile.open(tmp_path / "one") as archive:
        assert {entry.mode for entry in archive} == {0o644, 0o755}


def test_the_android_snippet_compiles_against_jni(on_host: Path, tmp_path: Path) -> None:
    """Against our own jni.h of what it uses; Kotlin is not compiled here."""
    assert "Android" not in (on_host / "README.md").read_text()
    (path,) = on_host.glob("*.so")
    library = replace(read_built_library(path), triple="x86_64-linux-android")
    readme = example_files(library, path.stem)["README.md"].decode()
    assert f"jniLibs/x86_64/lib{path.name}" in readme
    snippet = re.search(r"```c\n(.*?)```", readme, re.DOTALL)[1]
    (tmp_path / "native.c").write_text(snippet)
    shutil.copy(Path(__file__).parent / "jni_stub.h", tmp_path / "jni.h")
    words = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-c", "-I.", f"-I{on_host}", "native.c"]
    subprocess.run([*ZIG, *words], cwd=tmp_path, check=True, timeout=100)


def test_a_library_without_its_header_or_interface_is_refused(
    on_host: Path, tmp_path: Path
) -> None:
    (library,) = on_host.glob("*.so")
    copy = Path(shutil.copy(library, tmp_path))
    with pytest.raises(ReportError, match="no build report"):
        package.main([str(copy), "--out", str(tmp_path / "p.tar.gz")])
    report = json.loads(library.with_suffix(".json").read_text())
    copy.with_suffix(".json").write_text(json.dumps(report))
    with pytest.raises(PackageError, match=r"no header .*\.h"):
        package.main([str(copy), "--out", str(tmp_path / "p.tar.gz")])
    copy.with_suffix(".json").write_text(json.dumps(report | {"interface": None}))
    with pytest.raises(PackageError, match="needs TVM's runtime"):
        package.main([str(copy), "--out", str(tmp_path / "p.tar.gz")])
    assert not (tmp_path / "p.tar.gz").exists()


def test_an_output_that_cannot_be_written_is_named(on_host: Path, tmp_path: Path) -> None:
    (library,) = on_host.glob("*.so")
    with pytest.raises(ArchiveError, match=r"cannot write .*File name too long"):
        package.main([str(library), "--out", str(tmp_path / ("p" * 250))])
    with pytest.raises(SystemExit, match="2"):
        package.main([str(library), "--out", str(tmp_path / "none" / "p.tar.gz")])
