"""An agent as a process of this program: started, found, and ended with it, however that ends.

The agent watches the pipe that is its standard input, so that it cannot be orphaned. A key of its
own that no other program knows comes to it through another pipe.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import IO

from deploy_rpc.board_spec import BoardError

END_LIMIT_S = 3
SHOWN_LOG_LINES = 3


@dataclass(frozen=True)
class Address:
    """Where an agent listens; `secret` is the key shared with it, None where it asks for none."""

    host: str
    port: int
    secret: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class RunningAgent:
    """An agent that listens at `address`; `process` ends when it does."""

    address: Address
    process: subprocess.Popen


@contextmanager
def agent_process(
    command: Sequence[str],
    *,
    what: str,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    quiet: bool = True,
    secret: bytes | None = None,
) -> Iterator[RunningAgent]:
    """Runs `command`, an agent with its options, and ends it with the block.

    It is up within `timeout_s`, or a `BoardError` names `what` and the agent's last words. Unless
    `quiet`, its log goes to this program's standard error. With `secret` it serves only those who
    hold that key.
    """
    with (
        _as_key_file(secret) as (words, descriptors),
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log,
    ):
        process = subprocess.Popen(
            [*command, "--exit-with-stdin", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log if quiet else None,
            env=environment,
            pass_fds=descriptors,
            start_new_session=True,  # Ctrl-C is for us; then we end it, with all that it started
        )
        try:
            address = _address(process, log if quiet else None, what, timeout_s)
            yield RunningAgent(replace(address, secret=secret), process)
        finally:
            _end(process)


@contextmanager
def _as_key_file(secret: bytes | None) -> Iterator[tuple[list[str], list[int]]]:
    """The agent's words for a key file that is a pipe with `secret`, and what it inherits."""
    if secret is None:
        yield [], []
        return
    reading, writing = os.pipe()
    try:
        os.write(writing, secret)
        os.close(writing)
        yield ["--key-file", f"/dev/fd/{reading}"], [reading]
    finally:
        os.close(reading)


def _address(
    process: subprocess.Popen, log: IO[str] | None, what: str, timeout_s: float
) -> Address:
    """Reads `listening on HOST:PORT`, the agent's only line; without `log` its others are shown."""
    line = _first_line(process.stdout, time.monotonic() + timeout_s)
    if line is None:
        raise BoardError(f"{what} did not come up within {timeout_s:g} s")
    if not line.startswith("listening on "):
        with suppress(subprocess.TimeoutExpired):  # it may live on without its output
            process.wait(timeout=END_LIMIT_S)
        raise BoardError(f"{what} did not come up: {_last_words(log)}")
    host, _, port = line.removeprefix("listening on ").strip().rpartition(":")
    return Address(host, int(port))


def _last_words(log: IO[str] | None) -> str:
    if log is None:
        return "its own words are above"
    log.seek(0)
    words = " ".join(log.read().split("\n")[-SHOWN_LOG_LINES:]).strip()
    return words or "it said nothing"


def _first_line(stream: IO[bytes], deadline: float) -> str | None:
    """The first line of `stream`, "" where it ends before one, None where the deadline passes."""
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            if not selector.select(max(0, deadline - time.monotonic())):
                return None
            byte = os.read(stream.fileno(), 1)
            if not byte:
                return ""
            line += byte
    return line.decode()


def _end(process: subprocess.Popen) -> None:
    """Closes the agent's input, on which it ends its session and itself; kills what is left."""
    process.stdin.close()
    try:
        process.wait(timeout=END_LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finally:
        process.stdout.close()
