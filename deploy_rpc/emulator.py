"""A board without hardware: our agent under QEMU, with the right answers and no times.

    with running_agent("cortex-a72", timeout_s=60) as address:
        ...  # connect to address.host, address.port

User-mode emulation: up in 0.2 s, 34 MB. The agent ends with this program, however that ends: it
watches the pipe that is its standard input.
"""

from __future__ import annotations

import functools
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deploy_rpc.board_spec import BoardError
from deploy_rpc.bundle import board_bundle
from deploy_rpc.cores import CORES

QEMU = "qemu-aarch64"
SYSROOT_VARIABLE = "SHUFFLENET_AARCH64_SYSROOT"
DEFAULT_SYSROOT = "/usr/aarch64-linux-gnu"  # Debian's libc6-arm64-cross
SYSROOT_FILES = {
    "lib/ld-linux-aarch64.so.1": "libc6-arm64-cross",
    "lib/libstdc++.so.6": "libstdc++6-arm64-cross",
}
POOL_THREADS = 8  # that a library may ask for, whatever this machine has
QEMU_LIMIT_S = 10
END_LIMIT_S = 3
SHOWN_LOG_LINES = 3


@dataclass(frozen=True)
class Address:
    """Where the agent listens."""

    host: str
    port: int


def missing_emulation_tools() -> list[str]:
    """What to install before boards can be emulated, a sentence each; empty where all is there."""
    missing = []
    if shutil.which(QEMU) is None:
        missing.append(f"{QEMU} is not on the PATH (Debian: apt-get install qemu-user)")
    for file, package in SYSROOT_FILES.items():
        if not (_sysroot() / file).exists():
            missing.append(
                f"no {file} under {_sysroot()} (Debian: apt-get install {package}; or name another "
                f"folder with {SYSROOT_VARIABLE})"
            )
    return missing


@functools.cache
def emulated_cores() -> tuple[str, ...]:
    """The cores of the table that the installed QEMU knows; none where it is not installed."""
    qemu = shutil.which(QEMU)
    if qemu is None:
        return ()
    listed = subprocess.run(
        [qemu, "-cpu", "help"], capture_output=True, text=True, timeout=QEMU_LIMIT_S
    ).stdout.split()
    return tuple(core.name for core in CORES if core.name in listed)


@contextmanager
def running_agent(core: str, timeout_s: float) -> Iterator[Address]:
    """An agent on an emulated `core`, ended with the block; up within `timeout_s`.

    Raises `BoardError` where tools are missing, QEMU does not know the core, or the agent does not
    come up, and `BundleError` where its files cannot be had.
    """
    command = _qemu_command(core)
    arguments = ["--port", "0", "--work", tempfile.gettempdir(), "--exit-with-stdin"]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for us; then we end it, with all that it started
        )
        try:
            yield _address(process, log, core, timeout_s)
        finally:
            _end(process)


def _qemu_command(core: str) -> list[str]:
    missing = missing_emulation_tools()
    if missing:
        raise BoardError(f"no board can be emulated here: {'; '.join(missing)}")
    if core not in emulated_cores():
        raise BoardError(
            f"the installed {QEMU} cannot emulate {core}; it knows {', '.join(emulated_cores())}"
        )
    return [QEMU, "-cpu", core, "-L", str(_sysroot()), str(board_bundle() / "agent")]


def _sysroot() -> Path:
    return Path(os.environ.get(SYSROOT_VARIABLE, DEFAULT_SYSROOT))


def _environment() -> dict[str, str]:
    """No more than QEMU needs, and a thread pool that neither pins nor spins: it only emulates."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "TVM_NUM_THREADS": str(POOL_THREADS),
        "TVM_BIND_THREADS": "0",
        "TVM_THREAD_POOL_SPIN_COUNT": "0",
    }


def _address(process: subprocess.Popen, log: IO[str], core: str, timeout_s: float) -> Address:
    """Reads `listening on HOST:PORT`, the agent's only line."""
    line = _first_line(process.stdout, time.monotonic() + timeout_s)
    if line is None:
        raise BoardError(f"the emulated {core} did not come up within {timeout_s:g} s")
    if not line.startswith("listening on "):
        process.wait()
        log.seek(0)
        words = " ".join(log.read().split("\n")[-SHOWN_LOG_LINES:]).strip()
        raise BoardError(f"the emulated {core} did not come up: {words or 'it said nothing'}")
    host, _, port = line.removeprefix("listening on ").strip().rpartition(":")
    return Address(host, int(port))


def _first_line(stream: IO[bytes], deadline: float) -> str | None:
    """The first line of `stream`, "" where it ends before one, None where the deadline passes."""
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            if not selector.select(max(0, deadline - time.monotonic())):
                return None
            byte = os.read(stream.fileno(), 1)
            if not byte:
                return ""
            line += byte
    return line.decode()


def _end(process: subprocess.Popen) -> None:
    """Closes the agent's input, on which it ends its session and itself; kills what is left."""
    process.stdin.close()
    try:
        process.wait(timeout=END_LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finally:
        process.stdout.close()
