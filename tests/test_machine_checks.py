"""Parts of this machine are found, missing or broken, each with what mends it."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from deploy_rpc import core_models, qemu
from deploy_rpc import machine_checks as module
from deploy_rpc.arm_python import ArmPython
from deploy_rpc.findings import BROKEN, FOUND, MISSING
from deploy_rpc.machine_checks import machine_findings
from tests.agents import becomes_true, free_boards, native_agent, tracker_process
from tests.fake_tools import fake_tool
from tests.needs import needs_cycle_model, needs_qemu


def test_without_debian_s_packages_each_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SHUFFLENET_AARCH64_SYSROOT", str(tmp_path))
    findings = list(machine_findings())
    assert not any(finding.state == BROKEN for finding in findings)
    remedies = " ".join(finding.remedy for finding in findings if finding.state == MISSING)
    for package in ("qemu-user", "llvm-19", "libc6-arm64-cross", "gcc-aarch64-linux-gnu"):
        assert f"apt-get install {package}" in remedies


def test_a_tool_that_does_not_run_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_tool(tmp_path, module.GNU_COMPILER, "exit 3", monkeypatch)
    (finding,) = module._gnu_compiler()
    assert finding.state == BROKEN
    assert "--reinstall gcc-aarch64-linux-gnu" in finding.remedy


@pytest.fixture
def nothing_priced(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new program: what pipeline models were found to be worth is not kept."""
    anew = functools.cache(core_models._faults.__wrapped__)
    monkeypatch.setattr(core_models, "_faults", anew)


@pytest.mark.usefixtures("nothing_priced")
@pytest.mark.parametrize("script", ["exit 3", "echo '{'", "echo '[]'"])
def test_a_broken_pipeline_model_is_told_and_the_next_parts_are_tried(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_tool(tmp_path, "llvm-mca-19", script, monkeypatch)
    fake_tool(tmp_path, "llvm-mc-19", "exit 3", monkeypatch)
    findings = {finding.part: finding for finding in machine_findings()}
    assert findings[module.PRICING].state == BROKEN
    assert "--reinstall llvm-19" in findings[module.PRICING].remedy
    assert module.EMULATED_BOARD in findings


def test_an_emulator_that_hangs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu, "LIMIT_S", 0.1)
    monkeypatch.setattr(module, "VERSION_LIMIT_S", 0.1)
    script = 'test "$1" = --version && echo "qemu version 7.2" && exit; exec sleep 30'
    fake_tool(tmp_path, "qemu-aarch64", script, monkeypatch)
    findings = {finding.part: finding for finding in machine_findings()}
    assert findings["qemu-aarch64"].state == BROKEN
    assert "-cpu help: no answer within" in findings["qemu-aarch64"].detail
    assert findings["linker zig, aarch64-linux-gnu.2.28"].state == FOUND


def test_a_tracker_of_this_machine_is_found_with_its_boards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracker_process() as (name, _):
        monkeypatch.setattr(module, "TRACKER_PORT", int(name.rpartition(":")[2]))
        (finding,) = module._tracker()
        assert (finding.state, finding.detail) == (FOUND, "no board has registered")
        with native_agent(tmp_path, "--tracker", name, "--key", "here"):
            assert becomes_true(lambda: free_boards(name) == 1)
            (finding,) = module._tracker()
        assert finding.detail == "here (1 of 1 free)"
    (finding,) = module._tracker()
    assert finding.state == MISSING
    assert "Connection refused" in finding.detail
    assert finding.remedy == "python deploy_rpc/serve.py tracker"


@needs_qemu
def test_a_python_for_aarch64_that_does_not_run_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = ArmPython(tmp_path, tmp_path / "usr" / "bin" / "python3.11", tmp_path / "packages")
    monkeypatch.setattr(module, "fetched_pythons", lambda: [python])
    (finding,) = module._arm_python()
    assert finding.state == BROKEN
    assert finding.remedy == f"rm -r {tmp_path}"


def test_without_wheels_for_aarch64_the_command_that_fetches_them_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "fetched_pythons", lambda: [])
    monkeypatch.setattr(module, "missing_arm_python_tools", lambda: [])
    (finding,) = module._arm_python()
    assert (finding.state, finding.detail) == (MISSING, "fetched on first use, 400 MB")
    assert "bench/run.py peers" in finding.remedy


@needs_cycle_model
def test_a_doubt_of_a_core_that_is_offered_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    doubts = {"neoverse-n1": ("8 stores of 128 bits cost 8.0 cycles there, 4 as published",)}
    monkeypatch.setattr(module, "model_doubts", lambda core: doubts.get(core.name, ()))
    findings = {finding.part: finding for finding in module._pricing()}
    assert "neoverse-n1" in findings["cores that can be modelled"].detail
    assert findings["model of neoverse-n1"].detail == (
        "offered with a doubt: 8 stores of 128 bits cost 8.0 cycles there, 4 as published"
    )
    assert "model of cortex-a72" not in findings
