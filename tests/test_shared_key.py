"""A shared key: who does not hold it gets no session from our agent, and gives us none."""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest
from tvm import rpc
from tvm.rpc.base import RPC_MAGIC, recvall

from deploy_rpc.board_spec import BoardError, parse_board
from deploy_rpc.bundle import board_bundle
from deploy_rpc.host import machine_isa
from deploy_rpc.session import open_session
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
from tests.agents import agent_with_words, becomes_true, connected, native_agent, no_session
from tests.tiny_library import SHAPE, tiny_plain_library, tiny_reference

LIMIT_S = 30
HANDSHAKE_LIMIT_S = 5  # of the agent


def _is_closed(connection: socket.socket) -> bool:
    """Whether the other side has ended it, whatever it said before."""
    try:
        while connection.recv(256):
            pass
    except ConnectionResetError:
        pass
    return True


def test_a_library_runs_for_who_holds_the_key(tmp_path: Path, key_file: Path) -> None:
    library = tiny_plain_library(tmp_path, machine_isa())
    x = np.random.default_rng(0).standard_normal(SHAPE).astype("float32")
    with native_agent(tmp_path, "--key-file", str(key_file)) as agent:
        board = f"rpc://127.0.0.1:{agent.address.port}?key-file={key_file}"
        for _ in range(2):  # one session after the other
            with open_session(board, timeout_s=LIMIT_S) as session:
                y = session.load(library, output_shapes=[SHAPE]).run(x)
            np.testing.assert_array_equal(y, tiny_reference(x))
        assert becomes_true(lambda: no_session(tmp_path))


def test_upstream_s_client_neither_uploads_nor_runs(tmp_path: Path, key_file: Path) -> None:
    with native_agent(tmp_path, "--key-file", str(key_file)) as agent:
        with pytest.raises(RuntimeError):
            rpc.connect(agent.address.host, agent.address.port)
        assert no_session(tmp_path)
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
        assert no_session(tmp_path)


def test_what_was_overheard_opens_nothing_again(tmp_path: Path, key_file: Path) -> None:
    """A stranger replays a whole exchange: the agent's nonce is another one each time."""
    key = read_key(key_file)
    with native_agent(tmp_path, "--key-file", str(key_file)) as agent:
        with connected(agent.address) as connection:
            theirs = recvall(connection, len(GREETING) + NONCE)[len(GREETING) :]
            overheard = bytes(NONCE) + proof(key, b"client", theirs, bytes(NONCE))
            connection.sendall(overheard)
            assert recvall(connection, NONCE) == proof(key, b"agent ", theirs, bytes(NONCE))
            connection.shutdown(socket.SHUT_WR)
            assert _is_closed(connection)
        with connected(agent.address) as connection:
            hello = b"client:"
            connection.sendall(overheard + struct.pack("<ii", RPC_MAGIC, len(hello)) + hello)
            greeting = recvall(connection, len(GREETING) + NONCE)
            assert greeting[len(GREETING) :] != theirs
            assert _is_closed(connection)
        assert no_session(tmp_path)


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


def test_a_slow_stranger_does_not_hold_the_agent_for_long(tmp_path: Path, key_file: Path) -> None:
    """A byte now and then is no reason to wait: the whole exchange has its limit."""
    with native_agent(tmp_path, "--key-file", str(key_file)) as agent:
        with connected(agent.address) as stranger:
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
    words = ("--host", "0.0.0.0", "--allow-remote", "--key-file", str(key_file))
    with agent_with_words(tmp_path, *words) as agent:
        assert agent.stdout.readline().startswith("listening on 0.0.0.0:")
        agent.terminate()
        assert "whoever holds the key can run code here" in agent.communicate(timeout=LIMIT_S)[1]
