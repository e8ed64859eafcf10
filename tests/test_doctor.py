"""doctor.py: found, missing or broken, and what mends it."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import pytest

from deploy_rpc import doctor
from deploy_rpc.findings import BROKEN, FOUND, Finding
from tests.programs import run_main


def _doctor(*words: object) -> subprocess.CompletedProcess[str]:
    return run_main(doctor.main, *words)


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


def test_what_a_tool_says_is_told_to_the_letter(capsys: pytest.CaptureFixture[str]) -> None:
    finding = Finding("tool", BROKEN, "expected [/b], got [x0]", "see [1]")
    doctor._print_summary([*doctor._shown([finding])])
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


def test_wrong_usage_exits_2() -> None:
    assert _doctor("--board", "nothing").returncode == 2
    assert _doctor("--json", "no/such/folder/r.json").returncode == 2
