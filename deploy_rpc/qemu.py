"""What the installed QEMU says of itself: the CPUs it knows, and whether it takes our plugin."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess

from model.errors import InputError

PLUGIN_FROM, PLUGIN_TO = (4, 2), (8, 2)  # versions with the interface of cycle_model/qemu_plugin.h
LIMIT_S = 10


class QemuError(InputError):
    """A QEMU that is installed and does not answer."""


def missing_qemu(qemu: str) -> list[str]:
    """A sentence with its remedy where `qemu` is not on the PATH."""
    if shutil.which(qemu) is None:
        return [f"{qemu} is not on the PATH (Debian: apt-get install qemu-user)"]
    return []


def emulated_cpus(qemu: str) -> frozenset[str]:
    """What `qemu -cpu help` lists, its remarks included; empty where `qemu` is not installed.

    Raises `QemuError` where it does not answer.
    """
    program = shutil.which(qemu)
    return frozenset(_said(program, "-cpu", "help").split()) if program else frozenset()


def missing_plugin_host(qemu: str) -> list[str]:
    """A sentence with its remedy where our plugin does not run in `qemu`, or there is none."""
    program = shutil.which(qemu)
    if program is None:
        return missing_qemu(qemu)
    try:
        told, offers = _said(program, "--version"), _said(program, "--help")
    except QemuError as error:
        return [str(error)]
    found = re.search(r"version (\d+)\.(\d+)", told)
    version = (int(found[1]), int(found[2])) if found else None
    if version is None or not PLUGIN_FROM <= version <= PLUGIN_TO:
        return [
            f"{qemu} is QEMU {_dotted(version) if version else told.strip()}; cycles are counted "
            f"with {_dotted(PLUGIN_FROM)} to {_dotted(PLUGIN_TO)}, QEMU 9 changed its plugin "
            "interface (Debian: qemu-user of Debian 12)"
        ]
    if "-plugin" not in offers:
        return [f"{qemu} was built without plugins (Debian: qemu-user of Debian 12)"]
    return []


@functools.cache
def _said(program: str, *words: str) -> str:
    try:
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=LIMIT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = getattr(error, "strerror", None) or f"no answer within {LIMIT_S} s"
        raise QemuError(
            f"{program} {' '.join(words)}: {reason} (Debian: apt-get install --reinstall qemu-user)"
        ) from error
    return done.stdout


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
