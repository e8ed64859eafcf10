"""A program: carries one client of TVM's from a listening socket to a board's, and back.

    relay_process.py LISTENER WAY TIMEOUT_S      # descriptors

Over WAY it says when it is there, and is given two passwords and the connection to the board. Of
those who connect to LISTENER it takes the one that knows the first password, tells the board the
second in its place, and ends when either side does. It imports nothing but Python, to start soon.
"""

from __future__ import annotations

import hmac
import socket
import struct
import sys
import threading
from contextlib import suppress

RPC_MAGIC = 0xFF271
CHUNK = 1 << 16  # bytes in flight each way
LONGEST_HELLO = 512
READY = b"r"


def main() -> None:
    """Ends without a word where nobody comes in time."""
    listener, way = (socket.socket(fileno=int(word)) for word in sys.argv[1:3])
    timeout_s = float(sys.argv[3])
    listener.settimeout(timeout_s)
    try:
        with listener:
            board, ours, theirs = _given(way)
            board.settimeout(timeout_s)
            client, options = _awaited(listener, ours, timeout_s)
        hello = (theirs + options).encode()
        board.sendall(struct.pack("<ii", RPC_MAGIC, len(hello)) + hello)
    except OSError:
        return
    for end in (client, board):
        end.settimeout(None)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=_carry, args=(board, client), daemon=True).start()
    _carry(client, board)


def _given(way: socket.socket) -> tuple[socket.socket, str, str]:
    """The board's connection and both passwords; raises `OSError` where the program left."""
    with way:
        way.sendall(READY)
        words, descriptors, _, _ = socket.recv_fds(way, LONGEST_HELLO, 1)
    if not descriptors:
        raise ConnectionError("no board")
    ours, theirs = (f"client:{line}" for line in words.decode().split("\n"))
    return socket.socket(fileno=descriptors[0]), ours, theirs


def _awaited(listener: socket.socket, word: str, timeout_s: float) -> tuple[socket.socket, str]:
    """The client that knows the password, and what it says behind it; others are left."""
    while True:
        client, _ = listener.accept()
        with suppress(OSError, ValueError):
            client.settimeout(timeout_s)
            hello = _hello(client)
            if hmac.compare_digest(hello[: len(word)].encode(), word.encode()):
                return client, hello[len(word) :]
        client.close()


def _hello(client: socket.socket) -> str:
    magic, length = struct.unpack("<ii", _received(client, 8))
    if magic != RPC_MAGIC or not 0 <= length <= LONGEST_HELLO:
        raise ValueError("not TVM's protocol")
    return _received(client, length).decode()


def _received(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = client.recv(size - len(data))
        if not more:
            raise ValueError("it left")
        data += more
    return data


def _carry(source: socket.socket, destination: socket.socket) -> None:
    """All that comes from `source`, until it ends, which ends both."""
    with suppress(OSError):
        while data := source.recv(CHUNK):
            destination.sendall(data)
    for end in (source, destination):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    main()
