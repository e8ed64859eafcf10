"""One thread of a team as a program of its own: a kernel for several threads, called for one share.

    kernel(x, ..., y, scratch...): team_kernel(x, ..., y, scratch..., NULL, thread, threads)

`team_kernel` is the C function that a library for several threads holds, but that each thread does
what else the first one does for all: the serial rest. Nobody waits at its barriers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tvm
from tvm import tirx
from tvm.ir import PrimType

from compile.aot.compute import compile_module, exported
from compile.aot.kernels import INT, CKernel
from compile.targets import CompileTarget

TEAM_SYMBOL = "team_kernel"
BARRIER_SYMBOL = "team_barrier"
TEAM_PARAMETERS = 3


@dataclass(frozen=True)
class Share:
    """What `thread`, from 0 on, of `threads` does."""

    thread: int
    threads: int


def compile_share(
    kernel: CKernel, share: Share, symbol: str, target: CompileTarget, folder: Path
) -> list[Path]:
    """Object files in `folder` that define `symbol`: `share` of `kernel`, made for a team.

    The team meets in `BARRIER_SYMBOL`. They are two, so that LLVM does not make code of `kernel`
    for this one share.
    """
    modules = {
        "kernel": {TEAM_SYMBOL: kernel.function},
        "share": {symbol: _call(kernel, share), BARRIER_SYMBOL: _nobody_waits(kernel)},
    }
    objects = []
    for name, functions in modules.items():
        objects.append(folder / f"{name}.o")
        module = tvm.IRModule({name: exported(each, name) for name, each in functions.items()})
        compile_module(module, target.tvm).write_to_file(str(objects[-1]), "o")
    return objects


def _call(kernel: CKernel, share: Share) -> tirx.PrimFunc:
    pointers = list(kernel.function.params[:-TEAM_PARAMETERS])
    no_team = tirx.reinterpret("handle", tirx.const(0, "uint64"))
    call = tirx.call_extern(INT, TEAM_SYMBOL, *pointers, no_team, share.thread, share.threads)
    return tirx.PrimFunc(pointers, tirx.SeqStmt([tirx.Evaluate(call), _done()]), PrimType(INT))


def _nobody_waits(kernel: CKernel) -> tirx.PrimFunc:
    team = kernel.function.params[-TEAM_PARAMETERS]
    return tirx.PrimFunc([team], _done(), PrimType(INT))


def _done() -> tirx.Stmt:
    return tirx.Return(tirx.const(0, INT))
