"""What the installed QEMU says decides whether cycles are counted; one that hangs is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from compile.build_options import parse_options
from deploy_rpc import qemu as module
from deploy_rpc.board_spec import parse_board
from deploy_rpc.network_cycles import missing_modelled_board_tools
from deploy_rpc.qemu import QemuError, emulated_cpus, missing_plugin_host
from tests.fake_tools import fake_tool
from tests.needs import needs_qemu

QEMU = "qemu-aarch64"
PLUGINS = "-plugin QEMU_PLUGIN [file=]<file>"


def _says(version: str, offers: str = PLUGINS) -> str:
    return f'case "$1" in --version) echo "{QEMU} version {version}";; *) echo "{offers}";; esac'


@pytest.mark.parametrize("version", ["4.2.0", "7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", "8.2.10"])
def test_a_version_with_our_plugin_interface_is_taken(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_tool(tmp_path, QEMU, _says(version), monkeypatch)
    assert missing_plugin_host(QEMU) == []


@pytest.mark.parametrize("version", ["4.1.1", "9.0.0", "10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)"])
def test_another_version_is_refused_with_those_that_are_taken(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_tool(tmp_path, QEMU, _says(version), monkeypatch)
    sentence, *_ = missing_modelled_board_tools()
    assert f"{QEMU} is QEMU {'.'.join(version.split('.')[:2])};" in sentence
    assert "counted with 4.2 to 8.2" in sentence


def test_one_without_plugins_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tool(tmp_path, QEMU, _says("7.2.0", offers="-cpu MODEL"), monkeypatch)
    assert "built without plugins" in missing_plugin_host(QEMU)[0]


def test_one_that_hangs_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMIT_S", 0.1)
    program = fake_tool(tmp_path, QEMU, "exec sleep 30", monkeypatch)
    with pytest.raises(QemuError, match=rf"{program} -cpu help: no answer within .*--reinstall"):
        emulated_cpus(QEMU)
    assert "no answer within" in missing_plugin_host(QEMU)[0]


@needs_qemu
def test_without_a_plugin_that_runs_a_build_takes_the_emulated_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_tool(tmp_path, QEMU, _says("10.0.13", offers="cortex-a72"), monkeypatch)
    options = parse_options(["--target", "arm_cpu"])
    assert options.board == parse_board("emulated:cortex-a72")
