"""Versions of the parts that cannot be asked for one: read out of the files that they are."""

from __future__ import annotations

import re
from pathlib import Path

from deploy_rpc.block_counts import PLUGIN_SOURCE
from deploy_rpc.bundle import WHEELS
from deploy_rpc.shared_key import NAME_OF_GREETING

GLIBC = re.compile(rb"GNU C Library [^\n]*? version (\d+\.\d+)")
INTERFACE = re.compile(r"int qemu_plugin_version = (\d+);")
HANDSHAKE = re.compile(re.escape(NAME_OF_GREETING) + rb"(\d+)\n")


def glibc_version(sysroot: Path) -> str:
    """That of the C library under `sysroot`, "unknown" where it does not tell."""
    library = sysroot / "lib" / "libc.so.6"
    return _first(GLIBC, library.read_bytes()) if library.exists() else "unknown"


def plugin_version(plugin: Path) -> str:
    """The interface of QEMU's that our counting plugin is written for, and the hash it is kept by,
    which changes with its sources and its compiler.
    """
    interface = _first(INTERFACE, PLUGIN_SOURCE.read_text(encoding="utf-8"))
    return f"plugin interface {interface}, build {plugin.stem.rpartition('-')[2]}"


def agent_version(bundle: Path) -> str:
    """TVM's version, that of the agent's own greeting, and the hash that `bundle` is kept by, which
    changes with the agent's sources and its compiler.
    """
    greeting = _first(HANDSHAKE, (bundle / "agent").read_bytes())
    return (
        f"{WHEELS[0].package} {WHEELS[0].version}, key handshake {greeting}, "
        f"build {bundle.name.rpartition('-')[2]}"
    )


def _first(pattern: re.Pattern, text: str | bytes) -> str:
    found = pattern.search(text)
    if found is None:
        return "unknown"
    return found[1] if isinstance(found[1], str) else found[1].decode()
