"""A board is tried: reached or not, right or wrong, and what it tells of itself."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from deploy_rpc import board_checks as module
from deploy_rpc.board_checks import check_board
from deploy_rpc.board_files import FILES
from deploy_rpc.board_spec import parse_board
from deploy_rpc.findings import BROKEN, FOUND
from deploy_rpc.host import machine_isa
from deploy_rpc.shared_key import write_key
from tests.agents import native_agent
from tests.needs import needs_qemu

LIMIT_S = 120


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
    source = module.CHECK_KERNEL.read_text().replace("+ 1", "+ (i != 7)")
    (tmp_path / "check_kernel.c").write_text(source)
    monkeypatch.setattr(module, "CHECK_KERNEL", tmp_path / "check_kernel.c")
    *_, kernel = check_board(parse_board("local"), 10)
    assert (kernel.state, kernel.detail) == (BROKEN, "1 of 1000 values are wrong")


def test_a_state_that_is_no_number_is_told_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temp").write_text("n/a\n")
    monkeypatch.setitem(FILES, "temperature", tmp_path / "temp")
    findings = {finding.part: finding for finding in check_board(parse_board("local"), 10)}
    assert findings["temperature"].detail == "n/a °C"


def test_our_agent_tells_the_board_s_state(tmp_path: Path) -> None:
    with native_agent(tmp_path) as agent:
        board = parse_board(f"rpc://127.0.0.1:{agent.address.port}")
        findings = {finding.part: finding for finding in check_board(board, 10)}
    assert findings[f"board {board}"].detail == machine_isa()
    assert float(findings["load"].detail) >= 0
    assert findings["test kernel"].state == FOUND


def test_a_board_with_another_key_is_mended_by_the_right_one(
    tmp_path: Path, key_file: Path
) -> None:
    write_key(tmp_path / "other.key")
    with native_agent(tmp_path, "--key-file", str(key_file)) as agent:
        address = f"rpc://127.0.0.1:{agent.address.port}"
        for end in (f"?key-file={tmp_path / 'other.key'}", ""):
            (finding,) = check_board(parse_board(address + end), LIMIT_S)
            assert (finding.state, finding.remedy) == (BROKEN, module.KEY_REMEDY)


@pytest.mark.parametrize(
    "greeting", [b"SNCKEY1\n" + bytes(32), b"HTTP/1.1 400 Bad Request\r\n", b""]
)
def test_what_is_no_agent_of_this_version_is_not_mended_by_a_key(
    key_file: Path, greeting: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_greets, args=(listener, greeting), daemon=True).start()
        address = f"rpc://127.0.0.1:{listener.getsockname()[1]}"
        (finding,) = check_board(parse_board(f"{address}?key-file={key_file}"), LIMIT_S)
    assert (finding.state, finding.remedy) == (BROKEN, module.REMEDIES["rpc"])


def _greets(listener: socket.socket, greeting: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.sendall(greeting)


@needs_qemu
def test_an_emulated_board_is_up_and_computes() -> None:
    board = parse_board("emulated")
    findings = {finding.part: finding for finding in check_board(board, 60)}
    assert findings["board emulated"].detail == "aarch64"
    assert findings["test kernel"].state == FOUND
