"""Parts that cannot be asked say their versions all the same."""

from __future__ import annotations

import re
from pathlib import Path

from deploy_rpc.block_counts import counting_plugin
from deploy_rpc.bundle import WHEELS, board_bundle
from deploy_rpc.emulator import aarch64_sysroot
from deploy_rpc.host import machine_isa
from deploy_rpc.part_versions import agent_version, glibc_version, plugin_version
from deploy_rpc.shared_key import GREETING
from tests.needs import needs_qemu


def test_a_c_library_names_its_version_inside(tmp_path: Path) -> None:
    library = tmp_path / "lib" / "libc.so.6"
    library.parent.mkdir()
    assert glibc_version(tmp_path) == "unknown"
    library.write_bytes(b"\0musl\0")
    assert glibc_version(tmp_path) == "unknown"
    banner = b"GNU C Library (Debian GLIBC 2.36-8) stable release version 2.36.\n"
    library.write_bytes(b"\x7fELF\0" + banner)
    assert glibc_version(tmp_path) == "2.36"


@needs_qemu
def test_the_sysroot_s_c_library_has_a_version() -> None:
    assert re.fullmatch(r"\d+\.\d+", glibc_version(aarch64_sysroot()))


def test_the_agent_speaks_the_handshake_of_its_clients() -> None:
    folder = board_bundle(machine_isa())
    handshake = GREETING.decode().strip().removeprefix("SNCKEY")
    assert agent_version(folder) == (
        f"apache-tvm {WHEELS[0].version}, key handshake {handshake}, build {folder.name[-12:]}"
    )


def test_the_plugin_is_for_an_interface_and_has_a_build() -> None:
    plugin = counting_plugin()
    assert plugin_version(plugin) == f"plugin interface 1, build {plugin.stem[-12:]}"
