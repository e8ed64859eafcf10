"""Python for aarch64 in a folder, with packages, so that other engines run on the modelled board.

Debian's packages and the package index's wheels, 400 MB, fetched once. The host's own packages and
its apt are left alone: apt works on a state of its own, with the host's sources. Debian or Ubuntu.

For each core a folder beside it holds links to all of that, and `proc/cpuinfo` and
`sys/devices/system/cpu` that describe four of them: engines look there for what they may use, and
ONNX Runtime would read the host's there, through QEMU, and crash.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from deploy_rpc.arm_processor import ArmProcessor, arm_processor
from model.errors import InputError
from model.temporary import temporary_folder

DEBIAN_PACKAGES = ("python3-minimal", "libpython3-stdlib", "libstdc++6")
PLATFORMS = tuple(f"manylinux{tag}_aarch64" for tag in ("_2_28", "_2_27", "_2_24", "_2_17", "2014"))
TOOLS = {"apt-get": "apt", "dpkg-deb": "dpkg"}
LIMIT_S = 900
CORES = 4
DESCRIBED = ("proc", "sys")
OF_A_CORE = "@"  # in the name of what is described as a core's, beside what was fetched


class ArmPythonError(InputError):
    """Python for aarch64 cannot be fetched or unpacked here."""


@dataclass(frozen=True)
class ArmPython:
    """`root` is a sysroot for QEMU, `program` its Python, `packages` the folder for PYTHONPATH."""

    root: Path
    program: Path
    packages: Path


def arm_python(packages: Sequence[str], core: str, cache: Path | None = None) -> ArmPython:
    """Python for aarch64 on `core` with `packages` (`NAME==VERSION`), fetched if not in the cache.

    Raises `ArmPythonError` with the command that failed, `UnknownCoreError` for a core that is not
    described.
    """
    processor = arm_processor(core)
    names = "_".join(package.replace("==", "-") for package in packages)
    fetched = _folder(cache) / names
    if not fetched.is_dir():
        _check_tools()
        _make_whole(fetched, lambda work, root: _fetch(work, root, packages))
    described = _description(processor)
    digest = hashlib.sha256(json.dumps(described).encode()).hexdigest()[:12]
    root = fetched.with_name(f"{names}{OF_A_CORE}{core}-{digest}")
    if not root.is_dir():
        _make_whole(root, lambda _, made: _describe(fetched, made, described))
    return _python_in(root)


def fetched_pythons(cache: Path | None = None) -> list[ArmPython]:
    """What `arm_python` has fetched into the cache, one for each choice of packages.

    Raises `ArmPythonError` where one of them has no Python.
    """
    folder = _folder(cache)
    roots = sorted(folder.glob("[!.]*")) if folder.is_dir() else []
    return [_python_in(root) for root in roots if OF_A_CORE not in root.name]


def missing_arm_python_tools() -> list[str]:
    """What is needed to fetch Python for aarch64 and is not here, a sentence each."""
    return [
        f"{tool} is not on the PATH (it comes with {package}, on Debian and Ubuntu)"
        for tool, package in TOOLS.items()
        if shutil.which(tool) is None
    ]


def _folder(cache: Path | None) -> Path:
    return (cache or user_cache_path("shufflenet-compiled")) / "arm_python"


def _python_in(root: Path) -> ArmPython:
    return ArmPython(root, _program(root), root / "opt" / "packages")


def _make_whole(root: Path, fill: Callable[[Path, Path], None]) -> None:
    """Has `fill` fill a folder beside `root` and renames it: whole or not at all, whoever asks."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(".making-", root.parent) as work:
        made = work / "root"
        made.mkdir()
        fill(work, made)
        try:
            made.rename(root)
        except OSError as error:
            if not root.is_dir():  # else another program was faster
                raise ArmPythonError(f"cannot make {root}: {error.strerror}") from error


def _check_tools() -> None:
    missing = missing_arm_python_tools()
    if missing:
        raise ArmPythonError(f"Python for aarch64 cannot be fetched: {'; '.join(missing)}")


def _fetch(work: Path, root: Path, packages: Sequence[str]) -> None:
    print("fetching Python for aarch64, once", file=sys.stderr)
    _unpack_debian(work, root)
    _unpack_wheels(work, root, packages)


def _unpack_debian(work: Path, root: Path) -> None:
    state, cache, status = work / "state", work / "cache", work / "status"
    (state / "lists" / "partial").mkdir(parents=True)
    (cache / "archives" / "partial").mkdir(parents=True)
    status.touch()
    settings = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "1",
        "Dir::State": state,
        "Dir::State::status": status,
        "Dir::Cache": cache,
        "Dir::Etc::preferencesparts": "-",
    }
    options = (word for name, value in settings.items() for word in ("-o", f"{name}={value}"))
    apt = ["apt-get", "-q", *options]
    _run([*apt, "update"])
    _run([*apt, "-y", "--download-only", "--no-install-recommends", "install", *DEBIAN_PACKAGES])
    for package in sorted((cache / "archives").glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(root)])
    shutil.rmtree(root / "usr" / "share", ignore_errors=True)


def _unpack_wheels(work: Path, root: Path, packages: Sequence[str]) -> None:
    version = _program(root).name.removeprefix("python")
    wheels = work / "wheels"
    platforms = (word for name in PLATFORMS for word in ("--platform", name))
    fixed = ("--no-deps", "--only-binary=:all:", "--python-version", version, "--dest", str(wheels))
    own = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    _run([sys.executable, "-m", "pip", "download", *fixed, *platforms, *packages], own)
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(root / "opt" / "packages")


def _describe(fetched: Path, root: Path, described: Mapping[str, str]) -> None:
    for part in fetched.iterdir():
        if part.name not in DESCRIBED:
            (root / part.name).symlink_to(Path("..") / fetched.name / part.name)
    for name, text in described.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="ascii")


def _description(processor: ArmProcessor) -> dict[str, str]:
    """The files by which Linux tells of `CORES` cores, by name."""
    folder = "sys/devices/system/cpu"
    files = {"proc/cpuinfo": processor.cpuinfo(CORES), f"{folder}/kernel_max": f"{CORES - 1}\n"}
    for name in ("possible", "present", "online"):
        files[f"{folder}/{name}"] = f"0-{CORES - 1}\n"
    for index in range(CORES):
        for name, value in _facts_of_core(index).items():
            files[f"{folder}/cpu{index}/{name}"] = f"{value}\n"
    return files


def _facts_of_core(index: int) -> dict[str, str]:
    return {
        "cpufreq/cpuinfo_max_freq": "1500000",
        "cpufreq/cpuinfo_min_freq": "600000",
        "topology/physical_package_id": "0",
        "topology/core_id": str(index),
        "topology/core_siblings": f"{1 << index:x}",
        "topology/core_siblings_list": str(index),
        "topology/thread_siblings_list": str(index),
    }


def _program(root: Path) -> Path:
    programs = sorted((root / "usr" / "bin").glob("python3.[0-9]*"))
    if not programs:
        raise ArmPythonError(f"no python3 among Debian's packages in {root}")
    return programs[-1]


def _run(command: list[str], environment: Mapping[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT_S, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ArmPythonError(f"{error}; try it by hand: {' '.join(command)}") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith(("E:", "ERROR"))] or lines or ["failed"]
        raise ArmPythonError(f"{errors[0].strip()}; try it by hand: {' '.join(command)}")
