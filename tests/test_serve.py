"""serve.py: boards and trackers that come up, come back, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from deploy_rpc import serve
from deploy_rpc.bundle import board_bundle
from deploy_rpc.emulator import QEMU
from deploy_rpc.serve import main, write_bundle
from deploy_rpc.session import open_session
from deploy_rpc.shared_key import write_key
from model.cli import EXIT_INTERRUPTED
from tests.needs import needs_qemu
from tests.programs import WITHOUT_TORCH, run_main

LIMIT_S = 60
UP_LIMIT_S = 10  # it takes 0.6 s where nothing else runs


def _serve(*words: str) -> subprocess.CompletedProcess[str]:
    """What serve.py says where it does not come to serving, in this process."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        return run_main(main, *words)
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _serving(*words: str, stderr: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy_rpc.serve", *words],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@needs_qemu
def test_a_farm_of_emulated_boards_serves_two_sessions_at_once() -> None:
    with _serving("tracker", "--port", "0") as tracker:
        name = tracker.stdout.readline().split()[-1]
        with _serving("emulated", "--count", "2", "--tracker", name) as farm:
            board = farm.stdout.readline().split()[-1]
            assert board == f"tracker://{name}/cortex-a72"
            with open_session(board) as first, open_session(board) as second:
                assert first.isa == second.isa == "aarch64"


@needs_qemu
def test_an_emulated_board_is_up_within_the_limit_and_answers() -> None:
    board_bundle()  # what is fetched and compiled once
    start = time.monotonic()
    with _serving("emulated") as serving:
        board = serving.stdout.readline().split()[-1]
        assert time.monotonic() - start < UP_LIMIT_S
        with open_session(board, timeout_s=LIMIT_S) as session:
            assert session.isa == "aarch64"


@needs_qemu
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_is_left_however_the_farm_ends(end: signal.Signals) -> None:
    with _serving("emulated", "--count", "2") as farm:
        boards = [farm.stdout.readline().split()[-1] for _ in range(2)]
        assert all(board.startswith("rpc://127.0.0.1:") for board in boards)
        with open_session(boards[1]) as session:
            assert session.isa == "aarch64"
            agents = psutil.Process(farm.pid).children(recursive=True)
            assert sum(QEMU in agent.name() for agent in agents) == 3
            farm.send_signal(end)
            code = farm.wait(timeout=LIMIT_S)
    assert code == (-signal.SIGKILL if end == signal.SIGKILL else 0)
    assert psutil.wait_procs(agents, timeout=10)[1] == []


def test_an_agent_that_dies_is_started_again_on_its_port() -> None:
    program = "from deploy_rpc import serve\nserve.main(['agent', '--port', '0'])\n"
    process = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_TORCH + program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        board = process.stdout.readline().split()[-1]
        (agent,) = psutil.Process(process.pid).children()
        os.kill(agent.pid, signal.SIGKILL)
        deadline = time.monotonic() + LIMIT_S
        while not (agents := _agents_of(process, but=agent.pid)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert agents
        with open_session(board) as session:
            assert session.isa
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run sessions as others")
def test_sessions_run_as_the_user_that_was_named() -> None:
    words = ("agent", "--port", "0", "--user-id", "4711")
    with _serving(*words) as serving, open_session(serving.stdout.readline().split()[-1]):
        processes = psutil.Process(serving.pid).children(recursive=True)
        assert {process.uids().real for process in processes} == {0, 4711}


def _agents_of(process: subprocess.Popen, but: int) -> list[psutil.Process]:
    """The children that listen, other than `but`."""
    return [
        child
        for child in psutil.Process(process.pid).children()
        if child.pid != but and child.net_connections()
    ]


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    key = tmp_path / "board.key"
    assert _serve("key", str(key)).returncode == 0
    assert key.stat().st_mode & 0o777 == 0o600
    assert _serve("key", str(key)).returncode == 1


def test_a_machine_with_a_key_prints_the_board_with_its_file(tmp_path: Path) -> None:
    key = tmp_path / "board.key"
    write_key(key)
    with _serving("agent", "--port", "0", "--key-file", str(key)) as serving:
        board = serving.stdout.readline().split()[-1]
        assert board.endswith(f"?key-file={key}")
        with open_session(board, timeout_s=LIMIT_S) as session:
            assert session.isa


def test_a_tracker_for_others_says_what_that_means() -> None:
    words = ("tracker", "--host", "0.0.0.0", "--port", "0", "--allow-remote")
    with _serving(*words, stderr=subprocess.PIPE) as tracker:
        assert tracker.stdout.readline().startswith("tracker on 0.0.0.0:")
        tracker.send_signal(signal.SIGINT)
        said = tracker.communicate(timeout=LIMIT_S)[1]
    assert "warning: whoever reaches 0.0.0.0:0 can take boards away" in said


def test_a_taken_port_is_an_error_that_says_what_to_do() -> None:
    with _serving("tracker", "--port", "0") as tracker:
        port = tracker.stdout.readline().rpartition(":")[2].strip()
        done = _serve("tracker", "--port", port)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["emulated", "--count", "0"],
        ["agent", "--user-id", "root"],
        ["agent", "--bundle", "no/such/folder/board.tar.gz"],
        ["board"],
        [],
    ],
)
def test_wrong_usage_leaves_with_two(words: list[str]) -> None:
    assert _serve(*words).returncode == 2


def test_an_interrupted_bundle_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a server, and breaks off all else."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(serve, "write_bundle", interrupted)
    assert _serve("agent", "--bundle", "board.tar.gz").returncode == EXIT_INTERRUPTED


def test_an_unknown_core_is_refused_with_the_known_ones() -> None:
    done = _serve("emulated", "--core", "cortex-a999")
    assert done.returncode == 1
    assert "cortex-a999" in done.stderr or "no board can be emulated here" in done.stderr


def test_the_bundle_is_the_same_bytes_twice_and_holds_all(tmp_path: Path) -> None:
    first, second = tmp_path / "a.tar.gz", tmp_path / "b.tar.gz"
    write_bundle(first)
    write_bundle(second)
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        assert {name.removeprefix("board/") for name in archive.getnames()} == {
            *("agent", "libtvm_ffi.so", "libtvm_runtime.so", "libtvm_runtime_extra.so"),
            "README.md",
        }
        assert archive.getmember("board/agent").mode == 0o755


@needs_qemu
def test_a_bundle_with_libc_needs_nothing_of_the_board(tmp_path: Path) -> None:
    write_bundle(tmp_path / "board.tar.gz", with_libc=True)
    with tarfile.open(tmp_path / "board.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    agent = subprocess.Popen(
        [QEMU, "-cpu", "cortex-a72", "./ld-linux-aarch64.so.1", "--library-path", ".", "./agent",
         "--work", ".", "--port", "0"],
        cwd=tmp_path / "board", stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        port = agent.stdout.readline().strip().rpartition(":")[2]
        with open_session(f"rpc://127.0.0.1:{port}") as session:
            assert session.isa == "aarch64"
    finally:
        agent.kill()
        agent.communicate()
