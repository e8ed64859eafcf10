"""A program: carries one client of TVM's from a listening socket to a board's, and back.

    relay_process.py LISTENER BOARD TIMEOUT_S      # descriptors; passwords on the standard input

Of those who connect it takes the one that knows the first password, tells the board the second in
its place, and ends when either side does. It imports nothing but Python, to be there at once.
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


def main() -> None:
    """Ends without a word where nobody comes in time."""
    listener, board = (socket.socket(fileno=int(word)) for word in sys.argv[1:3])
    timeout_s = float(sys.argv[3])
    ours, theirs = (f"client:{line.rstrip()}" for line in sys.stdin)
    board.settimeout(timeout_s)
    listener.settimeout(timeout_s)
    try:
        with listener:
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
