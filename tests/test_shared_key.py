"""A shared key: who does not hold it gets no session from our agent, and gives us none."""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from tvm import rpc
from tvm.rpc.base import RPC_MAGIC, RPC_TRACKER_MAGIC, TrackerCode, recvall, recvjson, sendjson

from deploy_rpc.agent_process import Address
from deploy_rpc.board_spec import BoardError, parse_board
from deploy_rpc.bundle import board_bundle
from deploy_rpc.host import machine_isa
from deploy_rpc.session import open_session
from deploy_rpc.session_remote import _request
from deploy_rpc.shared_key import (
    GREETING,
    NONCE,
    KeyRefusedError,
    SharedKeyError,
    proof,
    prove,
    read_key,
    write_key,
)
from tests.agents import becomes_true, free_boards, native_agent, tracker_process
from tests.needs import needs_qemu
from tests.tiny_library import SHAPE, tiny_plain_library, tiny_reference

LIMIT_S = 30
HANDSHAKE_LIMIT_S = 5  # of the agent


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    write_key(tmp_path / "board.key")
    return tmp_path / "board.key"


@pytest.fixture(scope="module")
def tracker() -> Iterator[str]:
    with tracker_process() as (name, _):
        yield name


def _connected(address: Address) -> socket.socket:
    return socket.create_connection((address.host, address.port), timeout=LIMIT_S)


def _is_closed(connection: socket.socket) -> bool:
    """Whether the other side has ended it, whatever it said before."""
    try:
        while connection.recv(256):
            pass
    except ConnectionResetError:
        pass
    return True


def _no_session(work: Path) -> bool:
    return not list(work.glob("shufflenet-session-*"))


def test_a_library_runs_for_who_holds_the_key(tmp_path: Path, key_file: Path) -> None:
    library = tiny_plain_library(tmp_path, machine_isa())
    x = np.random.default_rng(0).standard_normal(SHAPE).astype("float32")
    with native_agent(tmp_path, "--key-file", str(key_file)) as agent:
        board = f"rpc://127.0.0.1:{agent.address.port}?key-file={key_file}"
        for _ in range(2):  # one session after the other
            with open_session(board, timeout_s=LIMIT_S) as session:
                y = session.load(library, output_shapes=[SHAPE]).run(x)
            np.testing.assert_array_equal(y, tiny_reference(x))
        assert becomes_true(lambda: _no_session(tmp_path))


def test_upstream_s_client_neither_uploads_nor_runs(tmp_path: Path, key_file: Path) -> None:
    with native_agent(tmp_path, "--key-file", str(key_file)) as agent:
        with pytest.raises(RuntimeError):
            rpc.connect(agent.address.host, agent.address.port)
        assert _no_session(tmp_path)
        assert not psutil.Process(agent.process.pid).children()
        board = f"rpc://127.0.0.1:{agent.address.port}?key-file={key_file}"
        with open_session(board, timeout_s=LIMIT_S) as session:
            assert session.isa == machine_isa()


def test_a_client_of_ours_without_the_key_is_told_to_name_it(
    tmp_path: Path, key_file: Path
) -> None:
    with (
        native_agent(tmp_path, "--key-file", str(key_file)) as agent,
        pytest.raises(BoardError, match=r"asks for a shared key; .*\?key-file=FILE"),
        open_session(f"rpc://127.0.0.1:{agent.address.port}", timeout_s=LIMIT_S),
    ):
        pass


def test_a_client_with_another_key_is_refused(tmp_path: Path, key_file: Path) -> None:
    write_key(tmp_path / "other.key")
    with native_agent(tmp_path, "--key-file", str(key_file)) as agent:
        board = f"rpc://127.0.0.1:{agent.address.port}?key-file={tmp_path / 'other.key'}"
        with (
            pytest.raises(BoardError, match="refused our key"),
            open_session(board, timeout_s=LIMIT_S),
        ):
            pass
        assert _no_session(tmp_path)


def test_what_was_overheard_opens_nothing_again(tmp_path: Path, key_file: Path) -> None:
    """A stranger replays a whole exchange: the agent's nonce is another one each time."""
    key = read_key(key_file)
    with native_agent(tmp_path, "--key-file", str(key_file)) as agent:
        with _connected(agent.address) as connection:
            theirs = recvall(connection, len(GREETING) + NONCE)[len(GREETING) :]
            overheard = bytes(NONCE) + proof(key, b"client", theirs, bytes(NONCE))
            connection.sendall(overheard)
            assert recvall(connection, NONCE) == proof(key, b"agent ", theirs, bytes(NONCE))
            connection.shutdown(socket.SHUT_WR)
            assert _is_closed(connection)
        with _connected(agent.address) as connection:
            hello = b"client:"
            connection.sendall(overheard + struct.pack("<ii", RPC_MAGIC, len(hello)) + hello)
            greeting = recvall(connection, len(GREETING) + NONCE)
            assert greeting[len(GREETING) :] != theirs
            assert _is_closed(connection)
        assert _no_session(tmp_path)


def test_our_own_proof_is_not_taken_back_from_the_other_side() -> None:
    """Who reflects our words proves nothing."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        echo = threading.Thread(target=_reflects, args=(theirs,))
        echo.start()
        with pytest.raises(KeyRefusedError, match="does not hold our key"):
            prove(ours, b"k" * 32, LIMIT_S)
        echo.join()


def _reflects(connection: socket.socket) -> None:
    connection.sendall(GREETING + bytes(NONCE))
    said = recvall(connection, 2 * NONCE)
    connection.sendall(said[NONCE:])


def test_a_board_of_a_stranger_at_the_tracker_is_not_used(
    tmp_path: Path, key_file: Path, tracker: str
) -> None:
    write_key(tmp_path / "other.key")
    words = ("--key", "here", "--key-file", str(tmp_path / "other.key"))
    with native_agent(tmp_path, "--tracker", tracker, *words):
        assert becomes_true(lambda: free_boards(tracker) == 1)
        with (
            pytest.raises(BoardError, match="refused our key"),
            open_session(f"tracker://{tracker}/here?key-file={key_file}", timeout_s=LIMIT_S),
        ):
            pass


@pytest.mark.parametrize("other", [{"port": 0}, {"host": "127.0.0.2"}], ids=["port", "address"])
def test_a_false_board_cannot_pass_on_what_both_sides_say(
    tmp_path: Path, key_file: Path, tracker: str, other: dict
) -> None:
    """It takes the true board's password out of the tracker, and offers that as its own."""
    words = ("--key", "here", "--key-file", str(key_file))
    board = parse_board(f"tracker://{tracker}/here")
    with native_agent(tmp_path, "--tracker", tracker, *words) as agent:
        assert becomes_true(lambda: free_boards(tracker) == 1)
        _, port, password = _request(board, LIMIT_S)
        place = {"host": "127.0.0.1", "port": port, **other}
        with socket.create_server((place["host"], place["port"])) as false_board:
            threading.Thread(
                target=_passes_on, args=(false_board, agent.address), daemon=True
            ).start()
            with (
                _offered(tracker, false_board, password),
                pytest.raises(BoardError, match="refused our key"),
                open_session(f"tracker://{tracker}/here?key-file={key_file}", timeout_s=LIMIT_S),
            ):
                pass
        assert _no_session(tmp_path)


@contextmanager
def _offered(tracker: str, listener: socket.socket, password: str) -> Iterator[None]:
    """The board at `listener` is the tracker's, by the messages of tvm/rpc/tracker.py."""
    host, _, port = tracker.rpartition(":")
    address = listener.getsockname()
    with socket.create_connection((host, int(port)), timeout=LIMIT_S) as connection:
        connection.sendall(struct.pack("<i", RPC_TRACKER_MAGIC))
        recvall(connection, 4)
        for message in (
            [TrackerCode.UPDATE_INFO, {"key": "server:here", "addr": address}],
            [TrackerCode.PUT, "here", [address[1], password], address[0]],
        ):
            sendjson(connection, message)
            assert recvjson(connection) == TrackerCode.SUCCESS
        yield


def _passes_on(listener: socket.socket, board: Address) -> None:
    """The words of the first client to the true board, and back."""
    client, _ = listener.accept()
    with client, _connected(board) as agent:
        ends = {client: agent, agent: client}
        with suppress(OSError):
            while True:
                for source in select.select(list(ends), [], [], LIMIT_S)[0]:
                    data = source.recv(4096)
                    if not data:
                        return
                    ends[source].sendall(data)


def test_behind_a_tracker_the_key_is_asked_for_as_well(
    tmp_path: Path, key_file: Path, tracker: str
) -> None:
    words = ("--key", "here", "--key-file", str(key_file))
    with native_agent(tmp_path, "--tracker", tracker, *words):
        assert becomes_true(lambda: free_boards(tracker) == 1)
        board = f"tracker://{tracker}/here?key-file={key_file}"
        with open_session(board, timeout_s=LIMIT_S) as session:
            assert session.isa == machine_isa()
        assert becomes_true(lambda: free_boards(tracker) == 1)
        host, _, port = tracker.rpartition(":")
        with pytest.raises((RuntimeError, OSError)):
            rpc.connect_tracker(host, int(port)).request("here", max_retry=1)
        assert _no_session(tmp_path)


def test_a_slow_stranger_does_not_hold_the_agent_for_long(tmp_path: Path, key_file: Path) -> None:
    """A byte now and then is no reason to wait: the whole exchange has its limit."""
    with native_agent(tmp_path, "--key-file", str(key_file)) as agent:
        with _connected(agent.address) as stranger:
            stranger.settimeout(0.5)
            assert becomes_true(lambda: _was_dropped(stranger), seconds=3 * HANDSHAKE_LIMIT_S)
        board = f"rpc://127.0.0.1:{agent.address.port}?key-file={key_file}"
        with open_session(board, timeout_s=LIMIT_S) as session:
            assert session.isa == machine_isa()


def _was_dropped(connection: socket.socket) -> bool:
    """Says one byte more, and waits a moment."""
    try:
        connection.sendall(b"x")
        return connection.recv(256) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


@needs_qemu
def test_the_key_of_an_emulated_board_stands_in_no_process_list() -> None:
    with open_session("emulated", timeout_s=60) as session:
        assert session.isa == "aarch64"
        tree = psutil.Process().children(recursive=True)
        words = [word for process in tree for word in process.cmdline()]
    assert any("--key-file" in word for word in words)
    assert not any(len(word) == 64 and set(word) <= set("0123456789abcdef") for word in words)


@pytest.mark.parametrize(
    ("content", "mode", "fault"),
    [
        (b"0123456789abcdef\n", 0o644, "others may read or change the key"),
        (b"short\n", 0o600, "a key of 5 bytes, expected 16 to 1023"),
        (b"k" * 1100, 0o600, "expected 16 to 1023"),
        (b"", 0o600, "a key of 0 bytes"),
    ],
)
def test_files_that_hold_no_key_are_refused_by_both_ends(
    tmp_path: Path, content: bytes, mode: int, fault: str
) -> None:
    path = tmp_path / "board.key"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(SharedKeyError, match=fault):
        read_key(path)
    agent = str(board_bundle(machine_isa()) / "agent")
    done = subprocess.run([agent, "--port", "0", "--key-file", str(path)], capture_output=True,
                          text=True, timeout=LIMIT_S)  # fmt: skip
    assert done.returncode == 2
    assert f"--key-file {path}" in done.stderr


def test_a_key_that_is_not_there_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(SharedKeyError, match=r"`serve.py key FILE` makes one"):
        read_key(tmp_path / "board.key")
    board = parse_board(f"rpc://127.0.0.1:1?key-file={tmp_path / 'board.key'}")
    with pytest.raises(SharedKeyError), open_session(board, timeout_s=1):
        pass


def test_on_another_address_the_agent_says_what_that_means(tmp_path: Path, key_file: Path) -> None:
    command = [str(board_bundle(machine_isa()) / "agent"), "--port", "0", "--work", str(tmp_path)]
    agent = subprocess.Popen(
        [*command, "--host", "0.0.0.0", "--allow-remote", "--key-file", str(key_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert agent.stdout.readline().startswith("listening on 0.0.0.0:")
    agent.terminate()
    assert "whoever holds the key can run code here" in agent.communicate(timeout=LIMIT_S)[1]


@needs_qemu
def test_by_default_nothing_listens_but_on_the_loopback(
    tmp_path: Path, key_file: Path, tracker: str
) -> None:
    """Tracker, agent, emulated board and client at once: what a port scan would see."""
    words = ("--key", "here", "--key-file", str(key_file))
    with native_agent(tmp_path, "--tracker", tracker, *words):
        assert becomes_true(lambda: free_boards(tracker) == 1)
        with (
            open_session(f"tracker://{tracker}/here?key-file={key_file}", timeout_s=LIMIT_S),
            open_session("emulated", timeout_s=60),
        ):
            processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
            listening = [
                connection.laddr.ip
                for process in processes
                for connection in process.net_connections("inet")
                if connection.status == psutil.CONN_LISTEN
            ]
    assert len(listening) >= 3
    assert set(listening) == {"127.0.0.1"}


def test_an_agent_that_was_killed_leaves_no_folder_behind_for_long(tmp_path: Path) -> None:
    library = tiny_plain_library(tmp_path, machine_isa())
    work = tmp_path / "work"
    work.mkdir()
    with native_agent(work) as agent:
        with open_session(f"rpc://127.0.0.1:{agent.address.port}", timeout_s=5) as session:
            session.load(library, output_shapes=[SHAPE])
            with native_agent(work):  # its neighbour's session goes on
                assert session.board_file("load")
            os.kill(agent.process.pid, 9)
            agent.process.wait()
        assert not _no_session(work)
    with native_agent(work):
        assert _no_session(work)


@pytest.mark.parametrize("end", [None, RuntimeError, KeyboardInterrupt])
def test_no_process_and_no_port_is_left_however_a_session_ends(
    tmp_path: Path, key_file: Path, end: type[BaseException] | None
) -> None:
    """Counted: agent, its session, the relay, and what they listen on."""
    before = _processes_and_ports()
    with native_agent(tmp_path, "--key-file", str(key_file)) as agent:
        board = f"rpc://127.0.0.1:{agent.address.port}?key-file={key_file}"
        with suppress(RuntimeError, KeyboardInterrupt), open_session(board) as session:
            during = _processes_and_ports()
            assert session.isa == machine_isa()
            if end:
                raise end
    assert len(during[0] - before[0]) == 3
    assert len(during[1] - before[1]) == 1
    assert becomes_true(lambda: _processes_and_ports() == before)


def _processes_and_ports() -> tuple[set[int], set[int]]:
    """Of this process and all that it started."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    ports = set()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            listening = process.net_connections("inet")
            ports |= {c.laddr.port for c in listening if c.status == psutil.CONN_LISTEN}
    return {process.pid for process in processes}, ports


def test_a_board_that_hung_in_a_session_with_a_key_is_free_again_when_that_is_closed(
    tmp_path: Path, key_file: Path
) -> None:
    with native_agent(tmp_path, "--key-file", str(key_file)) as agent:
        board = f"rpc://127.0.0.1:{agent.address.port}?key-file={key_file}"
        with open_session(board, timeout_s=1) as session:
            (hanging,) = psutil.Process(agent.process.pid).children()
            hanging.suspend()
            with pytest.raises(BoardError, match="no answer within 1 s"):
                session.board_file("load")
        with open_session(board, timeout_s=LIMIT_S) as session:
            assert session.isa == machine_isa()
