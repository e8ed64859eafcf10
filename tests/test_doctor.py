"""doctor.py: found, missing or broken, and what mends it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deploy_rpc import doctor
from deploy_rpc.agent_process import agent_process
from deploy_rpc.board_spec import parse_board
from deploy_rpc.bundle import board_bundle
from deploy_rpc.doctor import BROKEN, FOUND, MISSING, check_board, machine_checks
from deploy_rpc.emulator import missing_emulation_tools
from deploy_rpc.host import machine_isa
from tests.programs import run_main

LIMIT_S = 120


def _doctor(*words: object) -> subprocess.CompletedProcess[str]:
    return run_main(doctor.main, *words)


def _findings() -> list[doctor.Finding]:
    return [finding for check in machine_checks() for finding in check()]


def test_this_machine_computes_right_and_the_report_says_so(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = _doctor("--board", "local", "--json", str(report))
    assert done.returncode == 0, done.stdout
    findings = {row["part"]: row for row in json.loads(report.read_text())["findings"]}
    assert findings["apache-tvm"]["state"] == FOUND
    assert findings["test kernel"] == {
        "part": "test kernel",
        "state": FOUND,
        "detail": "1000 values, all right",
        "remedy": "",
    }
    assert findings["round trip"]["detail"].startswith("median ")


def test_without_debian_s_packages_each_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SHUFFLENET_AARCH64_SYSROOT", str(tmp_path))
    findings = _findings()
    assert not any(finding.state == BROKEN for finding in findings)
    remedies = " ".join(finding.remedy for finding in findings if finding.state == MISSING)
    for package in ("qemu-user", "llvm-19", "libc6-arm64-cross", "gcc-aarch64-linux-gnu"):
        assert f"apt-get install {package}" in remedies


def test_a_tool_that_does_not_run_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / doctor.GNU_COMPILER).write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / doctor.GNU_COMPILER).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    (finding,) = doctor._gnu_compiler()
    assert finding.state == BROKEN
    assert "--reinstall gcc-aarch64-linux-gnu" in finding.remedy


def test_what_a_tool_says_is_told_to_the_letter(capsys: pytest.CaptureFixture[str]) -> None:
    finding = doctor.Finding("tool", BROKEN, "expected [/b], got [x0]", "see [1]")
    doctor._print_summary([*doctor._shown([lambda: iter([finding])])])
    out = capsys.readouterr().out
    assert "broken   tool: expected [/b], got [x0]" in out
    assert "see [1]" in out


def test_a_board_that_is_not_there_is_broken_and_exits_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = _doctor("--board", f"rpc://127.0.0.1:{port}", "--timeout", "5")
    assert done.returncode == 1
    assert "Connection refused" in done.stdout
    assert "start the agent on the board" in done.stdout


def test_a_tracker_without_the_board_is_broken_with_its_keys() -> None:
    command = [sys.executable, "-m", "deploy_rpc.serve", "tracker", "--port", "0"]
    tracker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = tracker.stdout.readline().strip().rpartition(":")[2]
        findings = list(check_board(parse_board(f"tracker://127.0.0.1:{port}/nobody"), 10))
    finally:
        tracker.kill()
        tracker.communicate()
    assert [finding.state for finding in findings] == [FOUND, BROKEN]
    assert "no board with key 'nobody'" in findings[1].detail


def test_a_board_that_computes_wrong_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = doctor.CHECK_KERNEL.read_text().replace("+ 1", "+ (i != 7)")
    (tmp_path / "check_kernel.c").write_text(source)
    monkeypatch.setattr(doctor, "CHECK_KERNEL", tmp_path / "check_kernel.c")
    *_, kernel = check_board(parse_board("local"), 10)
    assert (kernel.state, kernel.detail) == (BROKEN, "1 of 1000 values are wrong")


def test_our_agent_tells_the_board_s_state() -> None:
    agent = str(board_bundle(machine_isa()) / "agent")
    command = [agent, "--port", "0", "--work", tempfile.gettempdir()]
    with agent_process(command, what="the agent", timeout_s=LIMIT_S) as running:
        board = parse_board(f"rpc://127.0.0.1:{running.address.port}")
        findings = {finding.part: finding for finding in check_board(board, 10)}
    assert findings[f"board {board}"].detail == machine_isa()
    assert float(findings["load"].detail) >= 0
    assert findings["test kernel"].state == FOUND


@pytest.mark.skipif(
    bool(missing_emulation_tools()), reason="; ".join(missing_emulation_tools()) or "all there"
)
def test_an_emulated_board_is_up_and_computes() -> None:
    board = parse_board("emulated")
    findings = {finding.part: finding for finding in check_board(board, 60)}
    assert findings["board emulated"].detail == "aarch64"
    assert findings["test kernel"].state == FOUND


def test_wrong_usage_exits_2() -> None:
    assert _doctor("--board", "nothing").returncode == 2
    assert _doctor("--json", "no/such/folder/r.json").returncode == 2
