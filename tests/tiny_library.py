"""The smallest library worth loading: relu(x) * 2 on (1, 3, 8, 8), for the host and for aarch64."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tvm
from tvm import relax, te
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.target import Target

SHAPE = (1, 3, 8, 8)

TARGETS = {
    "x86_64": {"kind": "llvm"},
    "aarch64": {"kind": "llvm", "mtriple": "aarch64-linux-gnu", "mcpu": "cortex-a72"},
}


@I.ir_module
class TinyNetwork:
    @R.function
    def main(x: R.Tensor((1, 3, 8, 8), "float32")) -> R.Tensor((1, 3, 8, 8), "float32"):  # noqa: N805
        with R.dataflow():
            positive = R.nn.relu(x)
            doubled = R.multiply(positive, R.const(2.0, "float32"))
            R.output(doubled)
        return doubled


def tiny_reference(x: np.ndarray) -> np.ndarray:
    """What the library is to compute."""
    return np.maximum(x, 0) * np.float32(2)


def tiny_library(folder: Path, isa: str) -> Path:
    """The library for `isa` (`x86_64` or `aarch64`), a Relax VM executable, in `folder`."""
    path = folder / f"tiny.{isa}.so"
    executable = relax.build(TinyNetwork, target=Target(TARGETS[isa]))
    executable.export_library(str(path), fcompile=_linker(isa))
    return path


def tiny_plain_library(folder: Path, isa: str) -> Path:
    """The same as a plain packed function `main(input, output)`, with no VM, in `folder`."""
    path = folder / f"tiny_plain.{isa}.so"
    tvm.compile(_plain_main(), target=Target(TARGETS[isa])).export_library(
        str(path), fcompile=_linker(isa)
    )
    return path


def _plain_main() -> tvm.IRModule:
    x = te.placeholder(SHAPE, "float32", name="x")
    y = te.compute(SHAPE, lambda *at: te.max(x(*at), 0.0) * 2.0, name="y")
    return tvm.IRModule({"main": te.create_prim_func([x, y])})


def _linker(isa: str) -> Callable[..., None]:
    def link(output: str, objects: list[str], **_: object) -> None:
        zig = [sys.executable, "-m", "ziglang", "cc", "-target", f"{isa}-linux-gnu.2.28"]
        words = ("-O2", "-s", "-shared", "-fPIC")
        subprocess.run([*zig, *words, "-o", output, *objects], check=True, timeout=120)

    link.output_format = "so"
    return link
