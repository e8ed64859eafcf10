"""Libraries with their reports, their packages, and the C example built for a board and run."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from compile.library import build_library
from compile.link import ZIG_TARGETS, find_linker
from compile.lower import lower
from compile.network import Network
from compile.report import build_report
from compile.targets import parse_target, with_abi, with_dtype
from deploy_rpc import package
from deploy_rpc.cores import Dtype
from deploy_rpc.host import machine_isa
from model.cli import write_json

ZIG = (sys.executable, "-m", "ziglang", "cc")
WARNINGS = ("-Wall", "-Wextra", "-Werror")
LINE = re.compile(r"^\d  class +(\d+)  probability (\d\.\d{4})  (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class System:
    """Where an example runs: what its library is built for, the compiler's target, the emulator.

    The compiler's target is the linker's: for each other one zig builds a C library, minutes long.
    """

    target: str
    abi: str
    zig_target: tuple[str, ...]
    emulator: tuple[str, ...] = ()
    dtype: Dtype = "float32"

    @property
    def is_static(self) -> bool:
        """Whether the example holds its libc, so that no sysroot is needed."""
        return self.abi == "musl"


HOST = System("host", "gnu", ("-target", ZIG_TARGETS[machine_isa(), "gnu"]))
AARCH64 = System("arm_cpu", "musl", ("-target", ZIG_TARGETS["aarch64", "musl"]), ("qemu-aarch64",))
ARMV7 = System(
    "rpi2", "musl", ("-target", ZIG_TARGETS["arm", "musl"]), ("qemu-arm", "-cpu", "cortex-a7")
)
BOARD = System("arm_cpu", "gnu", ("-target", ZIG_TARGETS["aarch64", "gnu"]))  # an emulated one


def make_library(network: Network, system: System, folder: Path, *, threads: int = 1) -> Path:
    """The library of `network` for `system` in `folder`, fused and unverified, with its report."""
    target = with_dtype(with_abi(parse_target(system.target), system.abi), system.dtype)
    lowered = lower(network, "fused", target, threads=threads)
    path = folder / f"{network.name}.{target.name}.so"
    library = build_library(
        lowered, target, find_linker("auto", target), path, static=system.is_static
    )
    write_json(path.with_suffix(".json"), build_report(lowered, [], [], library, {}))
    return path


def make_package(
    network: Network, system: System, folder: Path, *options: str, threads: int = 1
) -> Path:
    """The unpacked package of `network`, built for `system` in `folder`."""
    path = make_library(network, system, folder, threads=threads)
    package.main([str(path), "--out", str(folder / "package.tar.gz"), *options])
    with tarfile.open(folder / "package.tar.gz") as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return unpacked


def build_example(unpacked: Path, system: System, program: str = "classify") -> list[str]:
    """The command that runs the example, compiled by one line that warns of nothing."""
    (library,) = unpacked.glob("*.a" if system.is_static else "*.so")
    words = ["-std=c11", "-O2", "-s", *WARNINGS, f"{program}.c", library.name, "-lm"]
    kind = ["-static"] if system.is_static else ["-Wl,-rpath,$ORIGIN"]
    command = [*ZIG, *system.zig_target, *words, *kind, "-o", program]
    subprocess.run(command, cwd=unpacked, check=True, timeout=200)
    return [*system.emulator, str(unpacked / program)]


def classes_of(command: list[str], *arguments: str | Path) -> list[tuple[int, float, str]]:
    """Class, probability and name, best first, as the example prints them."""
    words = [*command, *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    found = LINE.findall(done.stdout)
    return [(int(index), float(share), name) for index, share, name in found]


def picture(path: Path, size: tuple[int, int], seed: int = 0) -> Path:
    """A PPM of smooth colours, (rows, columns) of it."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), np.uint8)
    Image.fromarray(noise).resize(size[::-1], Image.Resampling.BICUBIC).save(path)
    return path
