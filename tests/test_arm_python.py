"""Python for aarch64: fetched whole or not at all, and errors say what failed."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from deploy_rpc import arm_python as module
from deploy_rpc.arm_python import (
    ArmPythonError,
    arm_python,
    fetched_pythons,
    missing_arm_python_tools,
)
from deploy_rpc.emulator import missing_emulation_tools
from tests.needs import skip_for

MISSING = [*missing_arm_python_tools(), *missing_emulation_tools()]
needs_arm_python = skip_for(MISSING)


@needs_arm_python
def test_it_runs_under_qemu_with_its_packages_on_an_arm_core() -> None:
    python = arm_python(("numpy==2.3.5",), "neoverse-n1")
    program = (
        "import numpy, platform; print(platform.machine(), numpy.__version__, "
        "'CPU part\\t: 0xd0c' in open('/proc/cpuinfo').read())"
    )
    variables = ["-E", "PYTHONHOME=/usr", "-E", f"PYTHONPATH={python.packages}"]
    command = ["qemu-aarch64", "-L", str(python.root), *variables, str(python.program)]
    done = subprocess.run([*command, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stdout == "aarch64 2.3.5 True\n", done.stderr


def _fetched(folder: Path) -> Path:
    """What stands for fetched packages in `folder`."""
    program = folder / "usr" / "bin" / "python3.11"
    program.parent.mkdir(parents=True)
    program.touch()
    return folder


def test_a_core_that_is_described_otherwise_has_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fetched(tmp_path / "arm_python" / "numpy-2.3.5")
    folders = {}
    for cores in (4, 2, 4):
        monkeypatch.setattr(module, "CORES", cores)
        root = arm_python(("numpy==2.3.5",), "cortex-a72", cache=tmp_path).root
        assert (root / "proc" / "cpuinfo").read_text().count("processor") == cores
        assert folders.setdefault(cores, root) == root
    assert folders[4] != folders[2]


def test_what_was_fetched_is_found_once_and_whole(tmp_path: Path) -> None:
    assert fetched_pythons(tmp_path) == []
    root = _fetched(tmp_path / "arm_python" / "numpy-2.3.5")
    arm_python(("numpy==2.3.5",), "cortex-a72", cache=tmp_path)
    (tmp_path / "arm_python" / ".making-x").mkdir()
    (python,) = fetched_pythons(tmp_path)
    assert (python.root, python.program) == (root, root / "usr" / "bin" / "python3.11")
    python.program.unlink()
    with pytest.raises(ArmPythonError, match="no python3 among"):
        fetched_pythons(tmp_path)


def test_a_constraint_of_the_user_s_does_not_choose_the_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "")
        metadata = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
        wheel.writestr("tiny-1.0.dist-info/METADATA", metadata)
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    (tmp_path / "constraints.txt").write_text("tiny==2.0\n")
    monkeypatch.setenv("PIP_CONSTRAINT", str(tmp_path / "constraints.txt"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    root = _fetched(tmp_path / "root")
    module._unpack_wheels(tmp_path / "work", root, ("tiny==1.0",))
    assert (root / "opt" / "packages" / "tiny.py").exists()


def test_without_debian_s_tools_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ArmPythonError, match=r"apt-get is not on the PATH.*dpkg-deb is not"):
        arm_python(("numpy==2.3.5",), "cortex-a72", cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_fails_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "missing_arm_python_tools", lambda: [])
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "apt-get").write_text("#!/bin/sh\necho 'E: no network' >&2\nexit 100\n")
    (programs / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    with pytest.raises(ArmPythonError, match=r"E: no network; try it by hand: apt-get .*update"):
        arm_python(("numpy==2.3.5",), "cortex-a72", cache=tmp_path / "cache")
    assert list((tmp_path / "cache" / "arm_python").iterdir()) == []
