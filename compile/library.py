"""Lowered modules to shared libraries: LLVM's object, linked for the target or for this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tvm
from tvm import relax, tirx

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


def build_kernels(
    kernels: Mapping[str, tirx.PrimFunc], target: CompileTarget, linker: Linker, path: Path
) -> None:
    """Writes the shared library `path` with each of the scheduled `kernels` under its name."""
    named = {name: kernel.with_attr("global_symbol", name) for name, kernel in kernels.items()}
    executable = tvm.compile(tvm.IRModule(named), target=target.tvm)
    executable.export_library(str(path), fcompile=linker.as_export_function())
