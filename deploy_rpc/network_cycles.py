"""A built library's modelled cycles: one inference of the very file that ships, as a whole.

The library runs in a small C program of ours under QEMU, the second of two runs is priced. What the
parts of a network cost when each is priced alone is `compile/price_network.py`.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

from deploy_rpc.board_spec import BoardError
from deploy_rpc.built_library import BuiltLibrary
from deploy_rpc.compiled_once import compiled_once
from deploy_rpc.cores import Core
from deploy_rpc.cycles import CycleReport, missing_modelling_tools, modelled_cycles
from deploy_rpc.emulator import aarch64_sysroot, missing_emulation_tools

HARNESS_SOURCE = Path(__file__).parent / "cycle_model" / "network_harness.c"
HARNESS_WORDS = ("-target", "aarch64-linux-gnu.2.28", "-std=c11", "-O2", "-s", "-no-pie", "-ldl")


def network_cycles(
    library: BuiltLibrary, x: np.ndarray, core: Core
) -> tuple[CycleReport, np.ndarray]:
    """What one inference of `x` (N, C, H, W) costs on `core`, and its output.

    Raises `BoardError` for a library that is not for aarch64, has no C interface, or uses several
    threads, and as `modelled_cycles` does.
    """
    _check(library)
    with tempfile.TemporaryDirectory(prefix="modelled-board-") as name:
        folder = Path(name)
        shutil.copyfile(library.path, folder / "network.so")
        program = shutil.copy(compiled_once(HARNESS_SOURCE, HARNESS_WORDS, ""), folder / "program")
        np.ascontiguousarray(x, dtype=np.float32).tofile(folder / "input")
        values = int(np.prod(library.output_shape))
        words = ["./network.so", library.prefix, "input", "output", str(values)]
        report = modelled_cycles(program, words, core, sysroot=aarch64_sysroot())
        y = np.fromfile(folder / "output", dtype=np.float32)
    return report, y.reshape(library.output_shape)


def _check(library: BuiltLibrary) -> None:
    missing = list(dict.fromkeys([*missing_modelling_tools(), *missing_emulation_tools()]))
    if missing:
        raise BoardError(f"no cycles can be modelled here: {'; '.join(missing)}")
    if not library.triple.startswith("aarch64"):
        raise BoardError(f"{library.path} is for {library.triple}; only aarch64 is modelled")
    if library.prefix is None:
        raise BoardError(f"{library.path} needs TVM's runtime (level stock); build it at fused")
    if library.threads != 1:
        raise BoardError(
            f"{library.path} was built for {library.threads} threads; one is modelled: build it "
            "with --threads 1"
        )
