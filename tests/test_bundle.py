"""The board's files: made once, whole or not at all, from wheels with the expected digests."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deploy_rpc import bundle
from deploy_rpc.bundle import WHEELS, BundleError, Wheel, board_bundle
from deploy_rpc.elf import elf_machine
from tests.programs import WITHOUT_TORCH

LIBRARIES = {Path(library).name for wheel in WHEELS for library in wheel.libraries}


@pytest.fixture(scope="module")
def made() -> Path:
    return board_bundle()


def test_a_bundle_holds_the_agent_and_three_runtime_libraries_for_aarch64(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == LIBRARIES | {"agent"}
    assert {elf_machine(made / name) for name in LIBRARIES} == {"aarch64"}
    assert (made / "agent").stat().st_mode & 0o111
    assert sum(path.stat().st_size for path in made.iterdir()) < 8e6


def test_a_bundle_that_is_there_is_not_made_again(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "_make", lambda folder: pytest.fail(f"made {folder} again"))
    assert board_bundle() == made


def test_another_agent_source_makes_another_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bundle.bundle_folder()
    changed = Path(shutil.copytree(bundle.AGENT_SOURCES, tmp_path / "agent"))
    with (changed / "session.h").open("a") as header:
        header.write("\n")
    monkeypatch.setattr(bundle, "AGENT_SOURCES", changed)
    assert bundle.bundle_folder() != before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FIXED", ("-O1",)),
        ("ZIG_TARGETS", {bundle.BOARD_ISA: "aarch64-linux-gnu.2.36"}),
        ("version", lambda _: "9.9"),
    ],
    ids=["compiler's words", "target", "installed versions"],
)
def test_whatever_goes_into_a_bundle_is_in_its_name(
    name: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bundle.bundle_folder()
    monkeypatch.setattr(bundle, name, value)
    assert bundle.bundle_folder() != before


def test_without_a_package_index_the_error_names_pip_s_command_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(BundleError, match=r"cannot be downloaded: .*apache-tvm.*: .* pip download"):
        board_bundle(cache=tmp_path / "cache")
    assert list((tmp_path / "cache" / "boards").iterdir()) == []


def test_a_wheel_with_another_digest_is_refused_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _offer_wheels(tmp_path / "index", monkeypatch, spoiled=True)
    with pytest.raises(BundleError, match=r"its sha256 is [0-9a-f]{64}, expected 0{64}"):
        board_bundle(cache=tmp_path / "cache")
    assert list((tmp_path / "cache" / "boards").iterdir()) == []


def test_another_installed_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "WHEELS", (Wheel("apache-tvm", "0.1", "", ()),))
    with pytest.raises(BundleError, match=r"is installed, but a board's runtime is known for 0.1"):
        board_bundle(cache=tmp_path)


def test_an_agent_that_does_not_compile_is_an_error_with_the_compiler_s_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _offer_wheels(tmp_path / "index", monkeypatch)
    (tmp_path / "agent.c").write_text("int main(void) { return nothing; }\n")
    monkeypatch.setattr(bundle, "AGENT_SOURCES", tmp_path)
    with pytest.raises(BundleError, match=r"cannot be compiled: .*error: .*nothing"):
        board_bundle(cache=tmp_path / "cache")


def test_an_arm_machine_takes_the_libraries_that_are_installed(tmp_path: Path) -> None:
    bundle._copy_installed_libraries(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == LIBRARIES


def test_programs_that_ask_at_once_get_the_same_whole_bundle(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _offer_wheels(tmp_path / "index", monkeypatch, content=made)
    program = (
        "import json, sys; from pathlib import Path; from deploy_rpc import bundle\n"
        "bundle.WHEELS = tuple(bundle.Wheel(*row) for row in json.loads(sys.argv[1]))\n"
        "print(bundle.board_bundle(cache=Path(sys.argv[2])))\n"
    )
    rows = [dataclasses.astuple(wheel) for wheel in bundle.WHEELS]
    words = [
        sys.executable,
        "-c",
        WITHOUT_TORCH + program,
        json.dumps(rows),
        str(tmp_path / "cache"),
    ]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = {process.communicate(timeout=120)[0].strip() for process in running}
    assert len(folders) == 1
    assert {path.name for path in Path(folders.pop()).iterdir()} == LIBRARIES | {"agent"}
    assert len(list((tmp_path / "cache" / "boards").iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_an_error_that_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "boards").write_text("a file where a folder should be")
    with pytest.raises(BundleError, match=r"cannot write to .*XDG_CACHE_HOME"):
        board_bundle(cache=tmp_path)


def _offer_wheels(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    spoiled: bool = False,
    content: Path | None = None,
) -> None:
    """Makes small wheels of the same names the only ones that pip finds, and expects them."""
    folder.mkdir()
    offered = []
    for wheel in WHEELS:
        stem = f"{wheel.package.replace('-', '_')}-{wheel.version}"
        path = folder / f"{stem}-py3-none-manylinux_2_28_aarch64.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(
                f"{stem}.dist-info/METADATA",
                f"Metadata-Version: 2.1\nName: {wheel.package}\nVersion: {wheel.version}\n",
            )
            archive.writestr(
                f"{stem}.dist-info/WHEEL",
                "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n",
            )
            for library in wheel.libraries:
                name = Path(library).name
                archive.writestr(library, (content / name).read_bytes() if content else b"")
        digest = "0" * 64 if spoiled else hashlib.sha256(path.read_bytes()).hexdigest()
        offered.append(dataclasses.replace(wheel, sha256=digest))
    monkeypatch.setattr(bundle, "WHEELS", tuple(offered))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
