"""Linkers that turn LLVM's objects into a shared library for a board or for this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from compile.targets import CompileTarget, host_target
from model.errors import InputError

LINKERS = ("auto", "zig", "gnu", "ndk")
SHOWN_LINES = 20
LINK_TIMEOUT_S = 300  # zig builds its glibc stubs on first use, about 20 s on two cores

ZIG_TARGETS = {  # oldest glibc that the boards' runtime libraries need
    ("aarch64", "gnu"): "aarch64-linux-gnu.2.28",
    ("x86_64", "gnu"): "x86_64-linux-gnu.2.28",
    ("arm", "gnu"): "arm-linux-gnueabihf.2.28",
    ("aarch64", "musl"): "aarch64-linux-musl",
    ("x86_64", "musl"): "x86_64-linux-musl",
    ("arm", "musl"): "arm-linux-musleabihf",
}
GNU_COMPILERS = {
    "aarch64": ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
    "x86_64": ("x86_64-linux-gnu-gcc", "gcc"),
    "arm": ("arm-linux-gnueabihf-gcc", "gcc-arm-linux-gnueabihf"),
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
        fixed = ("-shared", "-fPIC", "-O2", "-s", "-o", str(output))  # zig: no runtime of UBSan
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
            lines = complaint.strip().splitlines()
            shown = "\n".join(lines[:SHOWN_LINES] + ["..."] * (len(lines) > SHOWN_LINES))
            raise LinkError(f"{self.name} failed to link:\n{shown}")

    def as_export_function(self, *more: str) -> Callable[..., None]:
        """The same as `fcompile` of TVM's `export_library`; links the objects `more`, too."""

        def fcompile(output: str, objects: Sequence[str], **_: object) -> None:
            self.link([*(str(file) for file in objects), *more], Path(output))

        fcompile.output_format = "so"
        return fcompile


class BionicLinker(Linker):
    """Links for Android without its NDK: against a stand-in for bionic's libc.so.

    What is compiled against are musl's headers. Of them our C uses only what both C libraries
    share: functions of the same signature, and on 64-bit machines pthread types of the same size
    (mutex 40, condition 48 bytes), all zeros at the start, and a larger set of signals. x18 belongs
    to Android; pages may be of 16 KiB.
    """

    WORDS = ("-ffixed-x18",)
    ALONE = ("-nostdlib", "-shared", "-fPIC", "-s")
    FUNCTIONS = (  # of libc.so from API level 21 on
        "free", "getpid", "madvise", "memcpy", "memset", "mmap", "munmap", "posix_memalign",
        "pthread_cond_broadcast", "pthread_cond_destroy", "pthread_cond_init", "pthread_cond_wait",
        "pthread_create", "pthread_join", "pthread_mutex_destroy", "pthread_mutex_init",
        "pthread_mutex_lock", "pthread_mutex_trylock", "pthread_mutex_unlock", "pthread_sigmask",
        "sched_yield", "sigfillset", "vsnprintf",
    )  # fmt: skip

    def link(self, words: Sequence[str], output: Path, folder: Path | None = None) -> None:
        """As `Linker.link`; every function that is not bionic's is an error."""
        with tempfile.TemporaryDirectory() as name:
            objects = []
            for source in (word for word in words if word.endswith(".c")):
                objects.append(str(Path(name) / f"{Path(source).stem}.o"))
                flags = [word for word in words if word[:2] in ("-I", "-O", "-D", "-f", "-s")]
                self.compile([*flags, source], objects[-1], folder or Path())
            given = [word for word in words if word.endswith(".o") or word.startswith("-Wl,")]
            libc = self._stand_in(Path(name))
            fixed = (*self.ALONE, "-Wl,-z,defs", "-Wl,-z,max-page-size=16384", "-o", str(output))
            self._run([*self.command, *fixed, *given, *objects, str(libc)], folder)

    def _stand_in(self, folder: Path) -> Path:
        """A libc.so of nothing but names."""
        source, libc = folder / "names.c", folder / "libc.so"
        source.write_text("".join(f"void {name}(void) {{}}\n" for name in self.FUNCTIONS))
        words = (*self.ALONE, "-fno-builtin", "-w", "-Wl,-soname,libc.so", "-o", str(libc))
        self._run([*self.command, *words, str(source)], None)
        return libc

    def compile(self, words: Sequence[str], output: str, folder: Path) -> None:
        """As `Linker.compile`."""
        super().compile([*self._words(), *words], output, folder)

    def _words(self) -> tuple[str, ...]:
        return self.WORDS if any(word.startswith("aarch64") for word in self.command) else ()


def find_linker(choice: str, target: CompileTarget) -> Linker:
    """The linker `choice` for `target`; `auto` takes zig, which the package index provides, or for
    Android the NDK, where ANDROID_NDK_HOME names one.

    Raises `LinkError` that names what to install.
    """
    auto = _ndk if target.abi == "android" and os.environ.get("ANDROID_NDK_HOME") else _zig
    finders = {"auto": auto, "zig": _zig, "gnu": _gnu, "ndk": _ndk}
    return finders[choice](target)


def find_host_linker(choice: str) -> Linker:
    """The linker for this machine: `choice` where it links for it, else what `auto` finds.

    Raises `LinkError` where there is none.
    """
    with contextlib.suppress(LinkError):
        return find_linker(choice, host_target())
    return find_linker("auto", host_target())


def _zig(target: CompileTarget) -> Linker:
    if find_spec("ziglang") is None:
        raise LinkError(
            f"no linker for {target.triple}: the Python package `ziglang` is not installed; "
            "run `pip install ziglang`, or ask for another with --linker gnu or --linker ndk"
        )
    zig = (sys.executable, "-m", "ziglang")
    archiver = (*zig, "ar")
    if target.abi == "android":
        headers = ZIG_TARGETS[target.core.isa, "musl"]
        return BionicLinker("zig", (*zig, "cc", "-target", headers), archiver)
    zig_target = ZIG_TARGETS[target.core.isa, target.abi]
    return Linker("zig", (*zig, "cc", "-target", zig_target), archiver)


def _gnu(target: CompileTarget) -> Linker:
    if target.abi != "gnu":
        raise LinkError(f"--linker gnu links with glibc, not for {target.triple}; leave it away")
    compiler, package = GNU_COMPILERS[target.core.isa]
    found = shutil.which(compiler)
    if found is None:
        raise LinkError(
            f"no linker for {target.triple}: {compiler} is not on the PATH; install it (Debian: "
            f"`apt-get install {package}`), or leave --linker away to use zig"
        )
    return Linker("gnu", (found,), (found.removesuffix("gcc") + "ar",))


def _ndk(target: CompileTarget) -> Linker:
    if target.abi != "android":
        raise LinkError(
            f"--linker ndk links with Android's bionic, not for {target.triple}; ask for "
            "--abi android, or leave --linker away"
        )
    home = os.environ.get("ANDROID_NDK_HOME")
    if not home:
        raise LinkError("--linker ndk needs the NDK's folder in ANDROID_NDK_HOME, which is not set")
    compiler = NDK_COMPILERS.get(target.core.isa)
    if compiler is None:
        raise LinkError(f"--linker ndk is for {', '.join(NDK_COMPILERS)}, not {target.core.isa}")
    found = sorted(Path(home).glob(f"toolchains/llvm/prebuilt/*/bin/{compiler}"))
    if not found:
        raise LinkError(
            f"no {compiler} under ANDROID_NDK_HOME={home}; expected it in "
            "toolchains/llvm/prebuilt/HOST/bin (NDK r23 or newer)"
        )
    return Linker("ndk", (str(found[0]),), (str(found[0].with_name("llvm-ar")),))
