"""A shared key behind a tracker: a stranger's board gets nothing, not even what it overhears."""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tvm import rpc
from tvm.rpc.base import RPC_TRACKER_MAGIC, TrackerCode, recvall, recvjson, sendjson

from deploy_rpc.agent_process import Address
from deploy_rpc.board_spec import BoardError, parse_board
from deploy_rpc.host import machine_isa
from deploy_rpc.session import open_session
from deploy_rpc.shared_key import write_key
from deploy_rpc.tracker_client import request_board
from tests.agents import (
    becomes_true,
    connected,
    free_boards,
    native_agent,
    no_session,
    processes_and_listeners,
    tracker_process,
)
from tests.needs import needs_qemu

LIMIT_S = 30


@pytest.fixture(scope="module")
def tracker() -> Iterator[str]:
    with tracker_process() as (name, _):
        yield name


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
        _, port, password = request_board(board, LIMIT_S)
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
        assert no_session(tmp_path)


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
    with client, connected(board) as agent:
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
        assert no_session(tmp_path)


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
            listening = [host for host, _ in processes_and_listeners()[1]]
    assert len(listening) >= 3
    assert set(listening) == {"127.0.0.1"}
