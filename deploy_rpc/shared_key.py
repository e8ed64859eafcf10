"""The key that an agent and its clients share: made, read, and proved without being sent.

The other end, with the messages, is `deploy_rpc/agent/handshake.h`.
"""

from __future__ import annotations

import hmac
import os
import secrets
import socket
import stat
import time
from pathlib import Path

from deploy_rpc.board_spec import BoardError

GREETING = b"SNCKEY2\n"
NAME_OF_GREETING = GREETING[:6]  # of every version
NONCE = PROOF = 32  # bytes
SHORTEST_KEY, LONGEST_KEY = 16, 1023
KEY_BYTES = 32


class SharedKeyError(BoardError):
    """A file that holds no key, or one that others can read."""


class KeyRefusedError(BoardError):
    """The other side does not hold the key, or asks for one and got none."""


def new_key() -> bytes:
    """A key nobody can guess, as text."""
    return secrets.token_hex(KEY_BYTES).encode()


def write_key(path: Path) -> None:
    """Writes a new key to the new file `path`, for its owner alone; raises `SharedKeyError`."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise SharedKeyError(
            f"cannot make the key {path}: {error.strerror}; name a new file in a folder you can "
            "write to"
        ) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(new_key() + b"\n")


def read_key(path: Path) -> bytes:
    """The first line of `path`; raises `SharedKeyError` where it is no key, or not secret."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            key = file.read(LONGEST_KEY + 2).partition(b"\n")[0]
    except OSError as error:
        raise SharedKeyError(
            f"cannot read the key {path}: {error.strerror}; `serve.py key FILE` makes one"
        ) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SharedKeyError(
            f"others may read or change the key {path} ({stat.filemode(mode)}); run `chmod 600 "
            f"{path}`, and make a new one if they did"
        )
    if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise SharedKeyError(
            f"{path} holds a key of {len(key)} bytes, expected {SHORTEST_KEY} to {LONGEST_KEY} in "
            "one line; `serve.py key FILE` makes one"
        )
    return key


def place_of(connection: socket.socket, password: str) -> bytes:
    """What is proved beside the key behind a tracker: where we connected to, with what password.

    The agent takes both from its own end, so that a false board of the tracker's cannot pass on
    the words of both sides from another address.
    """
    host, port = connection.getpeername()[:2]
    return f"{host}:{port} {password}".encode()


def prove(connection: socket.socket, key: bytes, timeout_s: float, place: bytes = b"") -> None:
    """Proves to the agent at `connection` that we hold `key`, and has it prove the same.

    `place` is that of `place_of` behind a tracker. Raises `KeyRefusedError` where one of them
    does not, `BoardError` where it is no agent of this version, `TimeoutError` where nothing came.
    """
    deadline = time.monotonic() + timeout_s
    greeting = _received(connection, len(GREETING) + NONCE, deadline)
    if not greeting.startswith(GREETING):
        if greeting.startswith(NAME_OF_GREETING):
            raise BoardError("the agent is of another version; make its bundle anew")
        raise BoardError("something else than our agent answered, or nothing")
    if len(greeting) < len(GREETING) + NONCE:
        raise BoardError("the agent broke off")
    theirs, ours = greeting[len(GREETING) :], secrets.token_bytes(NONCE)
    connection.sendall(ours + proof(key, b"client", theirs, ours, place))
    answer = _received(connection, PROOF, deadline)
    if not answer:
        raise KeyRefusedError("it refused our key, or is no agent of ours")
    if not hmac.compare_digest(answer, proof(key, b"agent ", theirs, ours, place)):
        raise KeyRefusedError("it does not hold our key")


def proof(
    key: bytes, role: bytes, agent_nonce: bytes, client_nonce: bytes, place: bytes = b""
) -> bytes:
    """What only a holder of `key` can say, once, in that role, at that place."""
    return hmac.digest(key, role + agent_nonce + client_nonce + place, "sha256")


def asks_for_a_key(host: str, port: int, timeout_s: float) -> bool:
    """Whether an agent at `host`:`port` greets as one with a key does."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            deadline = time.monotonic() + timeout_s
            return _received(connection, len(GREETING), deadline) == GREETING
    except OSError:
        return False


def _received(connection: socket.socket, size: int, deadline: float) -> bytes:
    """The next `size` bytes, fewer where the other side ended."""
    data = b""
    while len(data) < size:
        connection.settimeout(max(deadline - time.monotonic(), 1e-3))
        more = connection.recv(size - len(data))
        if not more:
            break
        data += more
    return data
