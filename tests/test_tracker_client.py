"""What a tracker answers is taken as a board's place only where it can be one."""

from __future__ import annotations

import dataclasses
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from tvm.rpc.base import RPC_TRACKER_MAGIC

from deploy_rpc import tracker_client
from deploy_rpc.board_spec import BoardError, BoardSpec
from deploy_rpc.session_remote import connect_board

LIMIT_S = 10
SUMMARY = {"queue_info": {}, "server_info": [{"addr": ["127.0.0.1", 9], "key": "server:here"}]}


@contextmanager
def _tracker(*answers: object) -> Iterator[BoardSpec]:
    """Something that gives `answers`, whatever it is asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer, args=(listener, answers), daemon=True).start()
        yield BoardSpec("tracker", "127.0.0.1", listener.getsockname()[1], "here")


def _answer(listener: socket.socket, answers: tuple[object, ...]) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.sendall(struct.pack("<i", RPC_TRACKER_MAGIC))
        for answer in answers:
            text = json.dumps(answer).encode()
            connection.sendall(struct.pack("<i", len(text)) + text)
        while connection.recv(256):
            pass


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (["a..b", 9090, "key"], "UnicodeError"),
        (["\x1b[2Jx", 9090, "key"], r"a board at '\\x1b\[2Jx'"),
        (["127.0.0.1", 9090, "\ud800"], "UnicodeEncodeError"),
        (["127.0.0.1", 1 << 16, "key"], "a board on port 65536"),
        (["127.0.0.1", float("inf"), "key"], "OverflowError"),
        (["127.0.0.1"], "ValueError"),
    ],
    ids=["host", "host that commands a terminal", "password", "port", "endless port", "no port"],
)
def test_a_board_that_cannot_be_one_is_refused(place: list, said: str) -> None:
    with (
        _tracker([0, SUMMARY], [0, place]) as spec,
        pytest.raises(BoardError, match=rf"is no tracker of TVM's \(.*{said}"),
        ExitStack() as until_closed,
    ):
        connect_board(spec, LIMIT_S, until_closed)


def test_a_board_that_is_gone_is_named_by_its_own_address(key_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with (
        _tracker([0, SUMMARY], [0, ["127.0.0.1", port, "key"]]) as spec,
        pytest.raises(BoardError, match=f"cannot connect to 127.0.0.1:{port} "),
        ExitStack() as until_closed,
    ):
        connect_board(dataclasses.replace(spec, key_file=key_file), LIMIT_S, until_closed)


def test_a_summary_that_comes_in_drops_has_a_limit_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each byte comes in time, the answer does not."""
    monkeypatch.setattr(tracker_client, "TRACKER_WAITS", 1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_drip, args=(listener,), daemon=True).start()
        spec = BoardSpec("tracker", "127.0.0.1", listener.getsockname()[1], "here")
        with pytest.raises(BoardError, match=r"for its boards: no answer within 0\.5 s"):
            tracker_client.tracker_summary(spec, 0.5)


def _drip(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection, suppress(OSError):
        connection.sendall(struct.pack("<ii", RPC_TRACKER_MAGIC, LIMIT_S * 100))
        while True:
            connection.sendall(b" ")
            time.sleep(0.1)
