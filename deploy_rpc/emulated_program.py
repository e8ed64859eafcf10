"""A program of some core, run to its end under QEMU's user emulation."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from deploy_rpc.cores import Core
from deploy_rpc.isa import AARCH64, Isa, isa_called
from deploy_rpc.qemu import emulated_cpus, missing_qemu
from model.errors import InputError

RUN_LIMIT_S = 900


class ProgramError(InputError):
    """A program that cannot be run here, or that failed."""


def missing_program_tools(isa: Isa = AARCH64) -> list[str]:
    """What to install before programs of `isa` can be run, a sentence each; maybe nothing."""
    return missing_qemu(isa.qemu)


def run_emulated(
    program: Path, arguments: Sequence[str], core: Core, words: Sequence[str] = ()
) -> None:
    """Runs `program` on an emulated `core`; `words` are options of QEMU.

    Without environment and by a relative path: what lies on the stack shifts its addresses. Raises
    `ProgramError` where the program fails, or QEMU is missing or does not know the core.
    """
    isa = isa_called(core.isa)
    _check_tools(core, isa)
    command = [shutil.which(isa.qemu), "-cpu", core.name, *words, f"./{program.name}", *arguments]
    try:
        done = subprocess.run(
            command, cwd=program.parent, env={}, capture_output=True, text=True, timeout=RUN_LIMIT_S
        )
    except subprocess.TimeoutExpired as error:
        raise ProgramError(f"{program.name} did not end within {RUN_LIMIT_S} s") from error
    if done.returncode != 0:
        said = done.stderr.strip() or "it said nothing"
        raise ProgramError(f"{program.name} ended with {done.returncode} under {isa.qemu}: {said}")


def _check_tools(core: Core, isa: Isa) -> None:
    missing = missing_program_tools(isa)
    if missing:
        raise ProgramError(f"no program of {core.name} can be run here: {'; '.join(missing)}")
    if core.name not in emulated_cpus(isa.qemu):
        raise ProgramError(
            f"the installed {isa.qemu} cannot emulate {core.name}; `{isa.qemu} -cpu help` lists "
            "what it can"
        )
