"""Which core a board under QEMU has: the one that is named, or the one that its code is for."""

from __future__ import annotations

from dataclasses import replace

from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.cores import CORES, Core, find_core
from deploy_rpc.emulator import emulated_cores

DEFAULT_EMULATED_CORE = "cortex-a72"


def emulated_core(spec: BoardSpec) -> Core:
    """The core of an emulated or modelled board."""
    return find_core(spec.core or DEFAULT_EMULATED_CORE)


def board_for(spec: BoardSpec, core: str) -> BoardSpec:
    """`spec`, and where it is under QEMU and names no core, one that runs what is built for `core`.

    A modelled board has `core` itself. An emulated one has another where QEMU does not know it: of
    the same extensions, as code with float16 arithmetic or dot products dies on cores without.
    """
    if spec.core or not spec.under_qemu:
        return spec
    known = emulated_cores()
    if spec.kind == "modelled" or core in known:
        return replace(spec, core=core)
    halves = [row.name for row in CORES if row.half]
    able = [name for name in known if name in halves]
    return replace(spec, core=able[0]) if core in halves and able else spec
