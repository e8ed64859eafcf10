"""What a board needs besides the library itself: TVM's runtime and our agent, 6.5 MB in one folder.

The runtime comes out of the aarch64 wheels of exactly the versions that are installed here, by way
of pip, or, for a board of this machine's kind, out of the installed packages themselves; the agent
is compiled with zig. The folder is made once and kept in the user's cache, under
a name that changes with whatever it is made from.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import tvm
import tvm_ffi
from platformdirs import user_cache_path

from deploy_rpc.compiled_once import FIXED, CompileError, zig
from deploy_rpc.host import machine_isa
from model.errors import InputError
from model.temporary import temporary_folder

AGENT_SOURCES = Path(__file__).parent / "agent"  # .c and .h
BOARD_ISA = "aarch64"
ZIG_TARGETS = {  # the glibc that the wheels are built for
    "aarch64": "aarch64-linux-gnu.2.28",
    "x86_64": "x86_64-linux-gnu.2.28",
}
PIP_LIMIT_S = 900


class BundleError(InputError):
    """The board's files cannot be downloaded, checked, or compiled."""


@dataclass(frozen=True)
class Wheel:
    """One wheel for aarch64, and the libraries that a board needs of it."""

    package: str
    version: str
    sha256: str
    libraries: tuple[str, ...]


# The digests are those of the package index. pip is asked for Python 3.12 whatever runs here, so
# that there is one wheel of each to know; the libraries inside do not depend on Python.
# fmt: off
WHEELS = (
    Wheel("apache-tvm", "0.27.0.post1",
          "4acfdb7653e4e1ba7a707bdf2833db72eb8fda7d04d99141f2a4e1da43171fb7",
          ("tvm/lib/libtvm_runtime.so", "tvm/lib/libtvm_runtime_extra.so")),
    Wheel("apache-tvm-ffi", "0.1.14.post1",
          "3fd2255a2e363a40c51ec1eeedb1110a2c74e443f95ae351ee5a81b5ff6808cf",
          ("tvm_ffi/lib/libtvm_ffi.so",)),
)
# fmt: on
PYTHON_OF_WHEELS = "3.12"
PLATFORMS_OF_WHEELS = ("manylinux_2_28_aarch64", "manylinux_2_24_aarch64")


def board_bundle(isa: str = BOARD_ISA, cache: Path | None = None) -> Path:
    """The folder with `agent`, `libtvm_runtime.so`, `libtvm_runtime_extra.so`, `libtvm_ffi.so`.

    Makes it where it is not in `cache` (default: the user's cache folder) yet, which downloads
    100 MB unless `isa` is this machine's. Two programs may ask at once. Raises `BundleError`.
    """
    if isa not in ZIG_TARGETS or isa not in (BOARD_ISA, machine_isa()):
        raise BundleError(f"no runtime for {isa} boards can be made here; expected {BOARD_ISA}")
    folder = bundle_folder(isa, cache)
    if not folder.is_dir():
        _make(folder, isa)
    return folder


def bundle_folder(isa: str = BOARD_ISA, cache: Path | None = None) -> Path:
    """Where `board_bundle` keeps the bundle, made or not; its name tells what it is made from."""
    sources = [path.read_text(encoding="utf-8") for path in sorted(AGENT_SOURCES.glob("*.[ch]"))]
    installed = [version(wheel.package) for wheel in WHEELS]
    parts = [*sources, *FIXED, *_agent_words(isa), version("ziglang"), *installed]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    name = "-".join([isa, *(wheel.version for wheel in WHEELS), digest])
    return (cache or user_cache_path("shufflenet-compiled")) / "boards" / name


def _make(folder: Path, isa: str) -> None:
    """Fills a folder beside `folder` and renames it: whole or not at all, whoever else asks."""
    with contextlib.ExitStack() as until_done:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            temporary = until_done.enter_context(temporary_folder(".making-", folder.parent))
        except OSError as error:
            raise BundleError(
                f"cannot write to {folder.parent}: {error.strerror}; point XDG_CACHE_HOME to a "
                "folder you can write to"
            ) from error
        if isa == machine_isa():
            _copy_installed_libraries(temporary)
        else:
            for wheel in WHEELS:
                _unpack(wheel, _download(wheel, temporary / "wheels"), temporary)
            shutil.rmtree(temporary / "wheels")
        _compile_agent(temporary, isa)
        _publish(temporary, folder)


def _publish(temporary: Path, folder: Path) -> None:
    temporary.chmod(0o755)
    try:
        temporary.rename(folder)
    except OSError:
        if not folder.is_dir():  # another program was faster: its bundle is as good as ours
            raise


def _copy_installed_libraries(folder: Path) -> None:
    roots = {"tvm": Path(tvm.__file__).parent, "tvm_ffi": Path(tvm_ffi.__file__).parent}
    for wheel in WHEELS:
        for library in wheel.libraries:
            package, _, inside = library.partition("/")
            shutil.copyfile(roots[package] / inside, folder / Path(library).name)


def _download(wheel: Wheel, folder: Path) -> Path:
    """The wheel as pip gets it from the user's package index, checked against its digest."""
    installed = version(wheel.package)
    if installed != wheel.version:
        raise BundleError(
            f"{wheel.package} {installed} is installed, but a board's runtime is known for "
            f"{wheel.version} only; run `pip install {wheel.package}=={wheel.version}`"
        )
    print(f"fetching {wheel.package} for aarch64, once", file=sys.stderr)
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
        *("--retries=2", "--python-version", PYTHON_OF_WHEELS),
        *(word for name in PLATFORMS_OF_WHEELS for word in ("--platform", name)),
        *("--dest", str(folder), f"{wheel.package}=={wheel.version}"),
    ]
    _run(
        command,
        PIP_LIMIT_S,
        "the board's runtime cannot be downloaded",
        "it needs pip and a package index within reach; try the command by hand",
    )
    (path,) = folder.glob(f"{wheel.package.replace('-', '_')}-{wheel.version}-*.whl")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != wheel.sha256:
        raise BundleError(
            f"{path.name}, as the package index gave it, is not the wheel that is expected: its "
            f"sha256 is {digest}, expected {wheel.sha256}; nothing of it was used"
        )
    return path


def _unpack(wheel: Wheel, path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for library in wheel.libraries:
            (folder / Path(library).name).write_bytes(archive.read(library))


def _compile_agent(folder: Path, isa: str) -> None:
    words = [
        *_agent_words(isa),
        *("-I", tvm_ffi.libinfo.find_include_path(), *map(str, sorted(AGENT_SOURCES.glob("*.c")))),
        *("-o", str(folder / "agent"), "-L", str(folder)),
    ]
    try:
        zig(words)
    except CompileError as error:
        raise BundleError(f"the board agent cannot be compiled: {error}") from error


def _agent_words(isa: str) -> list[str]:
    """How the agent is compiled, wherever its sources and its libraries are."""
    libraries = [Path(library).stem for wheel in WHEELS for library in wheel.libraries]
    return [
        *("-target", ZIG_TARGETS[isa], "-std=c11"),
        *("-Wl,-rpath,$ORIGIN", "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined"),
        *(f"-l{library.removeprefix('lib')}" for library in libraries),
    ]


def _run(command: list[str], limit_s: float, fault: str, remedy: str) -> None:
    """Runs `command`; raises `BundleError` with its first error and the command itself."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = f"{error}"
    else:
        if done.returncode == 0:
            return
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()] or lines
        reason = errors[0].strip() if errors else f"exit status {done.returncode}"
    raise BundleError(f"{fault}: {reason}; {remedy}: {' '.join(command)}")
