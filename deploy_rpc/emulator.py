"""A board without hardware: our agent under QEMU, with the right answers and no times.

    with running_agent("cortex-a72", timeout_s=60) as agent:
        ...  # connect to agent.address

User-mode emulation: up in 0.2 s, 34 MB.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy_rpc.agent_process import RunningAgent, agent_process
from deploy_rpc.board_spec import BoardError
from deploy_rpc.bundle import board_bundle
from deploy_rpc.cores import CORES
from deploy_rpc.qemu import emulated_cpus, missing_qemu

QEMU = "qemu-aarch64"
SYSROOT_VARIABLE = "SHUFFLENET_AARCH64_SYSROOT"
DEFAULT_SYSROOT = "/usr/aarch64-linux-gnu"  # Debian's libc6-arm64-cross
SYSROOT_FILES = {
    "lib/ld-linux-aarch64.so.1": "libc6-arm64-cross",
    "lib/libstdc++.so.6": "libstdc++6-arm64-cross",
}
POOL_THREADS = 8  # that a library may ask for, whatever this machine has


def missing_emulation_tools() -> list[str]:
    """What to install before boards can be emulated, a sentence each; empty where all is there."""
    missing = missing_qemu(QEMU)
    sysroot = aarch64_sysroot()
    for file, package in SYSROOT_FILES.items():
        if not (sysroot / file).exists():
            missing.append(
                f"no {file} under {sysroot} (Debian: apt-get install {package}; or name another "
                f"folder with {SYSROOT_VARIABLE})"
            )
    return missing


def emulated_cores() -> tuple[str, ...]:
    """The cores of the table that the installed QEMU knows; none where it is not installed.

    Raises `QemuError` where it does not answer.
    """
    listed = emulated_cpus(QEMU)
    return tuple(core.name for core in CORES if core.name in listed)


@contextmanager
def running_agent(
    core: str,
    timeout_s: float,
    arguments: Sequence[str] = (),
    *,
    quiet: bool = True,
    secret: bytes | None = None,
) -> Iterator[RunningAgent]:
    """An agent on an emulated `core`, ended with the block; up within `timeout_s`.

    It takes a free port unless `arguments`, the agent's own, say otherwise, and everyone on this
    machine unless there is a `secret`. Raises `BoardError`
    where tools are missing, QEMU does not know the core, or the agent does not come up, and
    `BundleError` where its files cannot be had.
    """
    command = [*agent_command(core), "--port", "0", "--work", tempfile.gettempdir(), *arguments]
    with agent_process(
        command,
        what=f"the emulated {core}",
        timeout_s=timeout_s,
        environment=_environment(),
        quiet=quiet,
        secret=secret,
    ) as agent:
        yield agent


def agent_command(core: str) -> list[str]:
    """What runs an agent on an emulated `core`; its options follow. Raises as `running_agent`."""
    missing = missing_emulation_tools()
    if missing:
        raise BoardError(f"no board can be emulated here: {'; '.join(missing)}")
    if core not in emulated_cores():
        raise BoardError(
            f"the installed {QEMU} cannot emulate {core}; it knows {', '.join(emulated_cores())}"
        )
    return [QEMU, "-cpu", core, "-L", str(aarch64_sysroot()), str(board_bundle() / "agent")]


def aarch64_sysroot() -> Path:
    """The folder that emulated programs see as `/` where it has what they look for."""
    return Path(os.environ.get(SYSROOT_VARIABLE, DEFAULT_SYSROOT))


def _environment() -> dict[str, str]:
    """No more than QEMU needs, and a thread pool that neither pins nor spins: it only emulates."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "SHUFFLENET_EMULATOR": QEMU,  # the agent tells its clients that its times are none
        "TVM_NUM_THREADS": str(POOL_THREADS),
        "TVM_BIND_THREADS": "0",
        "TVM_THREAD_POOL_SPIN_COUNT": "0",
    }
