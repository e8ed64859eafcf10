"""Lowered modules to shared libraries: LLVM's object, linked for the target or for this machine."""

from __future__ import annotations

from pathlib import Path

from tvm import relax

from compile.link import Linker
from compile.lower import Lowered
from compile.targets import CompileTarget


def build_library(lowered: Lowered, target: CompileTarget, linker: Linker, path: Path) -> None:
    """Compiles `lowered` for `target`, which may differ from the one its schedules were made for.

    Writes the shared library `path`: a TVM module with a Relax VM executable, weights inside, whose
    `main` takes and returns one float32 tensor.
    """
    executable = relax.build(lowered.module, target=target.tvm, relax_pipeline=None)
    executable.export_library(str(path), fcompile=linker.as_export_function())
