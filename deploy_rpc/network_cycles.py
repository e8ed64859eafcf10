"""A built library's modelled cycles: one inference of the very file that ships, as a whole.

The library runs in a small C program of ours under QEMU, the second of two runs is priced. What the
parts of a network cost when each is priced alone is `compile/price_network.py`.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deploy_rpc.board_spec import BoardError
from deploy_rpc.compiled_once import compiled_once
from deploy_rpc.cores import Core
from deploy_rpc.cycles import CycleReport, missing_modelling_tools, modelled_cycles
from deploy_rpc.elf import elf_machine
from deploy_rpc.emulator import aarch64_sysroot, missing_emulation_tools

HARNESS_SOURCE = Path(__file__).parent / "cycle_model" / "network_harness.c"
HARNESS_WORDS = ("-target", "aarch64-linux-gnu.2.28", "-std=c11", "-no-pie", "-ldl")


@dataclass(frozen=True)
class NetworkFile:
    """A library with a C interface whose names begin with `prefix`, None where it has none."""

    path: Path
    prefix: str | None
    output_shapes: Sequence[tuple[int, ...]]
    threads: int


def network_cycles(
    network: NetworkFile, x: np.ndarray, core: Core
) -> tuple[CycleReport, list[np.ndarray]]:
    """What one inference of `x` (N, C, H, W) costs on `core`, and its outputs.

    Raises `BoardError` for a library that is not for aarch64, has no C interface, or uses several
    threads, and as `modelled_cycles` does.
    """
    check_library(network)
    check_threads(network)
    with tempfile.TemporaryDirectory(prefix="modelled-board-") as name:
        folder = Path(name)
        shutil.copyfile(network.path, folder / "network.so")
        program = shutil.copy(compiled_once(HARNESS_SOURCE, HARNESS_WORDS, ""), folder / "program")
        np.ascontiguousarray(x, dtype=np.float32).tofile(folder / "input")
        sizes = [math.prod(shape) for shape in network.output_shapes]
        words = ["./network.so", network.prefix, "input", "output", *map(str, sizes)]
        report = modelled_cycles(program, words, core, sysroot=aarch64_sysroot())
        values = np.fromfile(folder / "output", dtype=np.float32)
    parts = np.split(values, np.cumsum(sizes)[:-1])
    shaped = zip(parts, network.output_shapes, strict=True)
    return report, [part.reshape(shape) for part, shape in shaped]


def missing_modelled_board_tools() -> list[str]:
    """What to install before whole networks can be modelled, a sentence each."""
    return list(dict.fromkeys([*missing_modelling_tools(), *missing_emulation_tools()]))


def check_library(network: NetworkFile) -> None:
    """Raises `BoardError` where this machine or the library's kind is none to model.

    The number of its threads is not looked at.
    """
    missing = missing_modelled_board_tools()
    if missing:
        raise BoardError(f"no cycles can be modelled here: {'; '.join(missing)}")
    machine = elf_machine(network.path)
    if machine != "aarch64":
        raise BoardError(f"{network.path} is for {machine}; only aarch64 is modelled")
    if network.prefix is None:
        raise BoardError(f"{network.path} needs TVM's runtime (level stock); build it at fused")


def check_threads(network: NetworkFile) -> None:
    """Raises `BoardError` for a library of several threads, with what can be had instead."""
    if network.threads != 1:
        raise BoardError(
            f"{network.path} was built for {network.threads} threads; a whole library is modelled "
            "on one: build it with --threads 1, or have compile/build.py or bench/run.py fusion "
            f"model the kernels of {network.threads} (--threads {network.threads} --board modelled)"
        )
