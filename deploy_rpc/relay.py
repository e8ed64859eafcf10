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

LOOPBACK = "127.0.0.1"
PROGRAM = Path(__file__).with_name("relay_process.py")


@dataclass(frozen=True)
class Relay:
    """Where TVM's client is to connect, and with what password; `process` carries it from there."""

    host: str
    port: int
    password: str
    process: subprocess.Popen


def relay_to(board: socket.socket, key: str, timeout_s: float) -> Relay:
    """A way to the RPC server at the end of `board`, whose own password is `key`; takes `board`.

    It is gone when either side ends the session, or after `timeout_s` without the client.
    """
    password = secrets.token_hex(16)
    with board, socket.create_server((LOOPBACK, 0), backlog=1) as listener:
        descriptors = (listener.fileno(), board.fileno())
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(PROGRAM), *map(str, descriptors), str(timeout_s)],
            stdin=subprocess.PIPE,
            pass_fds=descriptors,
            text=True,
            start_new_session=True,  # Ctrl-C is for us, who then say goodbye to the board
        )
        with process.stdin:
            process.stdin.write(f"{password}\n{key}\n")
        threading.Thread(target=process.wait, daemon=True).start()
        return Relay(*listener.getsockname(), password, process)
