"""A tracker of TVM's, asked for a free board, and for the boards that it has.

Over a socket of our own: `TrackerSession.request` of TVM waits for ever, and its request would stay
in the queue, so that a board that becomes free later were lost to it.
"""

from __future__ import annotations

import json
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from tvm.rpc.base import RPC_TRACKER_MAGIC, TrackerCode, recvall, sendjson

from deploy_rpc.board_errors import diagnosis, one_line, unreachable
from deploy_rpc.board_spec import MAX_PORT, BoardError, BoardSpec
from deploy_rpc.time_limit import call_within

TRACKER_WAITS = 4  # connecting, and three answers
LARGEST_ANSWER = 1 << 20  # bytes
NONSENSE = (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError)
SERVER_PREFIX = "server:"  # of a board's key in the summary


def request_board(spec: BoardSpec, timeout_s: float) -> tuple[str, int, str]:
    """Host, port and password of a free board with the key of `spec`.

    Each wait at most `timeout_s`, all together `TRACKER_WAITS` times that. Raises `BoardError`.
    """
    what = f"asking the tracker for {spec}"
    try:
        return call_within(TRACKER_WAITS * timeout_s, _request, spec, timeout_s, what=what)
    except TimeoutError as error:
        raise BoardError(
            f"no tracker at {spec.host}:{spec.port}: it accepted the connection but did not "
            f"answer within {timeout_s:g} s; {diagnosis(spec)}"
        ) from error
    except OSError as error:
        raise unreachable(spec.host, spec.port, spec, timeout_s, error) from error


def _request(spec: BoardSpec, timeout_s: float) -> tuple[str, int, str]:
    with closing(socket.create_connection((spec.host, spec.port), timeout=timeout_s)) as tracker:
        known = _known(tracker, spec)
        if spec.key not in known:
            raise BoardError(
                f"the tracker at {spec.host}:{spec.port} has no board with key {spec.key!r}; its "
                f"keys: {', '.join(known.values()) or 'none, no board has registered'}; "
                f"{diagnosis(spec)}"
            )
        try:
            with _understood(spec):
                return _place(_ask(tracker, spec, [TrackerCode.REQUEST, spec.key, "", 1]))
        except TimeoutError as error:
            raise BoardError(
                f"no board with key {spec.key!r} became free within {timeout_s:g} s at the "
                f"tracker {spec.host}:{spec.port}; {diagnosis(spec)}"
            ) from error


def tracker_summary(spec: BoardSpec, timeout_s: float) -> dict[str, str]:
    """The keys that the tracker of `spec` has boards for, each with how many of them are free.

    Each wait at most `timeout_s`, all together `TRACKER_WAITS` times that. Raises `BoardError`.
    """
    what = f"asking the tracker at {spec.host}:{spec.port} for its boards"
    try:
        return call_within(TRACKER_WAITS * timeout_s, _summary, spec, timeout_s, what=what)
    except OSError as error:
        raise unreachable(spec.host, spec.port, spec, timeout_s, error) from error


def _summary(spec: BoardSpec, timeout_s: float) -> dict[str, str]:
    with closing(socket.create_connection((spec.host, spec.port), timeout=timeout_s)) as tracker:
        return _known(tracker, spec)


def _known(tracker: socket.socket, spec: BoardSpec) -> dict[str, str]:
    """What `tracker_summary` gives, over a connection that was just made."""
    _greet(tracker, spec)
    with _understood(spec):
        return _keys(_ask(tracker, spec, [TrackerCode.SUMMARY]))


def _place(answer: Any) -> tuple[str, int, str]:  # noqa: ANN401 (JSON)
    """Host, port and password of a tracker's answer; raises where they cannot be ones."""
    host, port, password = answer
    str(host).encode("idna"), str(password).encode()  # as they are sent
    if not str(host).isprintable():
        raise ValueError(f"a board at {host!r}")
    if not 1 <= int(port) <= MAX_PORT:
        raise ValueError(f"a board on port {port}")
    return str(host), int(port), str(password)


def _greet(tracker: socket.socket, spec: BoardSpec) -> None:
    tracker.sendall(struct.pack("<i", RPC_TRACKER_MAGIC))
    (magic,) = struct.unpack("<i", recvall(tracker, 4))
    if magic != RPC_TRACKER_MAGIC:
        raise BoardError(
            f"expected a tracker at {spec.host}:{spec.port}, but something else answered "
            f"({magic:#x} for {RPC_TRACKER_MAGIC:#x}); for a board's own server write "
            f"rpc://{spec.host}:{spec.port}"
        )


@contextmanager
def _understood(spec: BoardSpec) -> Iterator[None]:
    """Whatever is amiss with an answer is a `BoardError`."""
    try:
        yield
    except NONSENSE as error:
        raise BoardError(
            f"what answers at {spec.host}:{spec.port} is no tracker of TVM's "
            f"({type(error).__name__}: {error}); {diagnosis(spec)}"
        ) from error


def _ask(tracker: socket.socket, spec: BoardSpec, request: list) -> Any:  # noqa: ANN401 (JSON)
    sendjson(tracker, request)
    (size,) = struct.unpack("<i", recvall(tracker, 4))
    if not 0 <= size <= LARGEST_ANSWER:
        raise ValueError(f"an answer of {size} bytes, expected at most {LARGEST_ANSWER}")
    code, *answer = json.loads(recvall(tracker, size))
    if code != TrackerCode.SUCCESS:
        raise BoardError(f"the tracker refused {request}: {answer}; {diagnosis(spec)}")
    return answer[0]


def _keys(summary: dict) -> dict[str, str]:
    """Each key that boards have registered under, with a text that says how many are free."""
    boards = Counter(server["key"].removeprefix(SERVER_PREFIX) for server in summary["server_info"])
    queues = summary["queue_info"]
    return {
        key: f"{one_line(key)} ({queues[key]['free'] if key in queues else 0} of {count} free)"
        for key, count in sorted(boards.items())
    }
