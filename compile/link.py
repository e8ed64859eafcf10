"""Linkers that turn LLVM's objects into a shared library for a board or for this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from compile.targets import CompileTarget
from model.errors import InputError

LINKERS = ("auto", "zig", "gnu", "ndk")
LINK_TIMEOUT_S = 300  # zig builds its glibc stubs on first use, about 20 s on two cores

ZIG_TARGETS = {  # oldest glibc that the boards' runtime libraries need
    "aarch64": "aarch64-linux-gnu.2.28",
    "x86_64": "x86_64-linux-gnu.2.28",
}
GNU_COMPILERS = {
    "aarch64": ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
    "x86_64": ("x86_64-linux-gnu-gcc", "gcc"),
}
NDK_COMPILERS = {
    "aarch64": "aarch64-linux-android24-clang",
    "x86_64": "x86_64-linux-android24-clang",
}


class LinkError(InputError):
    """No linker for the target, or one that failed."""


@dataclass(frozen=True)
class Linker:
    """A C compiler driver for one target; `command` comes before the arguments.

    `archiver` is what makes static libraries. Every method raises `LinkError` with the tool's own
    words where it fails; paths may be relative to `folder`.
    """

    name: str
    command: tuple[str, ...]
    archiver: tuple[str, ...]

    def link(self, words: Sequence[str], output: Path, folder: Path | None = None) -> None:
        """Links objects and C sources into the stripped shared library `output`."""
        fixed = ("-shared", "-fPIC", "-s", "-o", str(output))
        self._run([*self.command, *fixed, *words, "-lm"], folder)

    def compile(self, words: Sequence[str], output: str, folder: Path) -> None:
        """Compiles one C source into the object file `output`."""
        self._run([*self.command, "-c", "-o", output, *words], folder)

    def archive(self, members: Sequence[str], output: Path, folder: Path) -> None:
        """Packs object files into the static library `output`."""
        self._run([*self.archiver, "rcs", str(output), *members], folder)

    def _run(self, command: Sequence[str], folder: Path | None) -> None:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
            start_new_session=True,
        ) as process:  # fmt: skip
            try:
                _, complaint = process.communicate(timeout=LINK_TIMEOUT_S)
            except subprocess.TimeoutExpired as error:
                raise LinkError(f"{self.name} did not end within {LINK_TIMEOUT_S} s") from error
            finally:
                with contextlib.suppress(ProcessLookupError):  # zig starts processes of its own
                    os.killpg(process.pid, signal.SIGKILL)
        if process.returncode != 0:
            raise LinkError(f"{self.name} failed to link:\n{complaint.strip()}")

    def as_export_function(self) -> Callable[..., None]:
        """The same as `fcompile` of TVM's `export_library`."""

        def fcompile(output: str, objects: Sequence[str], **_: object) -> None:
            self.link([str(file) for file in objects], Path(output))

        fcompile.output_format = "so"
        return fcompile


def find_linker(choice: str, target: CompileTarget) -> Linker:
    """The linker `choice` for `target`; `auto` takes zig, which the package index provides.

    Raises `LinkError` that names what to install.
    """
    finders = {"auto": _zig, "zig": _zig, "gnu": _gnu, "ndk": _ndk}
    return finders[choice](target)


def _zig(target: CompileTarget) -> Linker:
    if find_spec("ziglang") is None:
        raise LinkError(
            f"no linker for {target.triple}: the Python package `ziglang` is not installed; "
            "run `pip install ziglang`, or ask for another with --linker gnu or --linker ndk"
        )
    zig_target = ZIG_TARGETS[target.core.isa]
    zig = (sys.executable, "-m", "ziglang")
    return Linker("zig", (*zig, "cc", "-target", zig_target), (*zig, "ar"))


def _gnu(target: CompileTarget) -> Linker:
    compiler, package = GNU_COMPILERS[target.core.isa]
    found = shutil.which(compiler)
    if found is None:
        raise LinkError(
            f"no linker for {target.triple}: {compiler} is not on the PATH; install it (Debian: "
            f"`apt-get install {package}`), or leave --linker away to use zig"
        )
    return Linker("gnu", (found,), (found.removesuffix("gcc") + "ar",))


def _ndk(target: CompileTarget) -> Linker:
    home = os.environ.get("ANDROID_NDK_HOME")
    if not home:
        raise LinkError("--linker ndk needs the NDK's folder in ANDROID_NDK_HOME, which is not set")
    compiler = NDK_COMPILERS[target.core.isa]
    found = sorted(Path(home).glob(f"toolchains/llvm/prebuilt/*/bin/{compiler}"))
    if not found:
        raise LinkError(
            f"no {compiler} under ANDROID_NDK_HOME={home}; expected it in "
            "toolchains/llvm/prebuilt/HOST/bin (NDK r23 or newer)"
        )
    return Linker("ndk", (str(found[0]),), (str(found[0].with_name("llvm-ar")),))
