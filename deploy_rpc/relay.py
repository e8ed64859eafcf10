"""TVM's client over a connection that is open already, on which the shared key was proved.

TVM opens its own connections. So it is given a port on the loopback that takes one client, once,
with a password that only we know, and whatever passes there is carried to the board and back: by a
process, as TVM holds Python's lock while it frees what is on a board.
"""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from deploy_rpc.board_spec import BoardError

LOOPBACK = "127.0.0.1"
PROGRAM = Path(__file__).with_name("relay_process.py")


READY = b"r"


class RelayError(BoardError):
    """A relay that did not start in time, or that has ended."""


@dataclass(frozen=True)
class Relay:
    """Where TVM's client is to connect, and with what password; `process` carries it from there.

    It is gone when either side ends the session, or after its time limit without the client.
    """

    host: str
    port: int
    password: str
    process: subprocess.Popen
    _way: socket.socket

    def carry_to(self, board: socket.socket, key: str) -> None:
        """To the RPC server at the end of `board`, whose own password is `key`; takes `board`.

        Raises `RelayError`.
        """
        words = f"{self.password}\n{key}".encode()
        try:
            with board, self._way:
                socket.send_fds(self._way, [words], [board.fileno()])
        except OSError as error:
            raise RelayError(f"the relay to the board has ended: {error.strerror}") from error


def start_relay(timeout_s: float) -> Relay:
    """A relay that waits for its board: an agent does not wait long for a client that it trusts.

    Raises `RelayError`.
    """
    password = secrets.token_hex(16)
    ours, theirs = socket.socketpair()
    with theirs, socket.create_server((LOOPBACK, 0), backlog=1) as listener:
        descriptors = (listener.fileno(), theirs.fileno())
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(PROGRAM), *map(str, descriptors), str(timeout_s)],
            stdin=subprocess.DEVNULL,
            pass_fds=descriptors,
            start_new_session=True,  # Ctrl-C is for us, who then say goodbye to the board
        )
        threading.Thread(target=process.wait, daemon=True).start()
        host, port = listener.getsockname()
    ours.settimeout(timeout_s)
    try:
        is_ready = ours.recv(1) == READY
    except TimeoutError:
        is_ready = False
    if not is_ready:
        ours.close()
        process.terminate()
        raise RelayError(f"the relay to the board was not up within {timeout_s:g} s; try again")
    return Relay(host, port, password, process, ours)
