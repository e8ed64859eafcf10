"""Connections to boards over TVM's RPC: straight to one, or to a free one of a tracker's.

The tracker is asked over a socket of our own: `TrackerSession.request` of TVM waits for ever, and
its request would stay in the queue, so that a board that becomes free later were lost to it.
Where client and agent share a key, both prove it before TVM's client begins (`relay.py`).
"""

from __future__ import annotations

import json
import shlex
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from tvm import rpc
from tvm.rpc.base import RPC_TRACKER_MAGIC, TrackerCode, recvall, sendjson

from deploy_rpc.agent_process import Address
from deploy_rpc.board_spec import MAX_PORT, BoardError, BoardSpec
from deploy_rpc.relay import Relay, start_relay
from deploy_rpc.shared_key import asks_for_a_key, place_of, prove, read_key
from deploy_rpc.time_limit import BoardTimeoutError, call_within

SESSION_LIMIT_S = 24 * 3600  # after this a board's server ends a session that was left behind
LARGEST_ANSWER = 1 << 20  # bytes, of a tracker
TRACKER_WAITS = 4  # connecting, and three answers
GREETING_LIMIT_S = 1  # for an agent's first words
NONSENSE = (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError)
REMOTE_PREFIX = "RPCError: Error caught from RPC call:"
SERVER_PREFIX = "server:"  # of a board's key in the tracker's summary


def connect_board(spec: BoardSpec, timeout_s: float, until_closed: ExitStack) -> rpc.RPCSession:
    """A session on the board of an `rpc` or `tracker` spec, each wait at most `timeout_s`.

    With `until_closed` a connection with a key ends, so that a board that hangs is free again.
    Raises `BoardError` with host, port, limit and the command that diagnoses it.
    """
    secret = read_key(spec.key_file) if spec.key_file else None
    if spec.kind == "rpc":
        _probe(spec, timeout_s)
        address = Address(spec.host, spec.port, secret)
        return connect_server(address, "", spec, timeout_s, until_closed)
    relay = _relay(secret, timeout_s, until_closed)  # first: a board waits for us only for seconds
    try:
        what = f"asking the tracker for {spec}"
        host, port, key = call_within(
            TRACKER_WAITS * timeout_s, _request, spec, timeout_s, what=what
        )
    except TimeoutError as error:
        raise BoardError(
            f"no tracker at {spec.host}:{spec.port}: it accepted the connection but did not "
            f"answer within {timeout_s:g} s; {diagnosis(spec)}"
        ) from error
    except OSError as error:
        raise _unreachable(spec, timeout_s, error) from error
    return _connect(Address(host, port, secret), key, spec, timeout_s, relay)


def connect_server(
    address: Address, key: str, spec: BoardSpec, timeout_s: float, until_closed: ExitStack
) -> rpc.RPCSession:
    """A session on the RPC server at `address`, `key` being its password behind a tracker.

    `spec` is what the errors name.
    """
    relay = _relay(address.secret, timeout_s, until_closed)
    return _connect(address, key, spec, timeout_s, relay)


def _relay(secret: bytes | None, timeout_s: float, until_closed: ExitStack) -> Relay | None:
    """What TVM's client needs where a key is proved."""
    if not secret:
        return None
    relay = start_relay(timeout_s)
    until_closed.callback(relay.process.terminate)
    return relay


def _connect(
    address: Address, key: str, spec: BoardSpec, timeout_s: float, relay: Relay | None
) -> rpc.RPCSession:
    limit_s = SESSION_LIMIT_S if spec.kind in ("rpc", "tracker") else 0
    what = f"connecting to the RPC server at {address.host}:{address.port} for {spec}"
    host, port = address.host, address.port
    if relay:
        relay.carry_to(_trusted(address, key, spec, timeout_s), key)
        host, port, key = relay.host, relay.port, relay.password
    try:
        return call_within(timeout_s, rpc.connect, host, port, key, limit_s, what=what)
    except BoardTimeoutError as error:
        raise BoardError(
            f"{error}: something accepted the connection, but it is no RPC server, or one that "
            f"is busy with another session; {diagnosis(spec)}"
        ) from error
    except (RuntimeError, OSError) as error:
        if not address.secret and asks_for_a_key(host, port, GREETING_LIMIT_S):
            raise BoardError(
                f"{what}: the agent there asks for a shared key; name its file behind the board, "
                f"{spec}?key-file=FILE"
            ) from error
        raise BoardError(f"{what} failed: {message(error)}; {diagnosis(spec)}") from error


def _trusted(address: Address, key: str, spec: BoardSpec, timeout_s: float) -> socket.socket:
    """A connection to an agent that holds the key, as we do."""
    what = f"proving the key to the agent at {address.host}:{address.port} for {spec}"
    try:
        connection = socket.create_connection((address.host, address.port), timeout=timeout_s)
    except OSError as error:
        raise _unreachable(spec, timeout_s, error) from error
    try:
        place = place_of(connection, key) if spec.kind == "tracker" else b""
        prove(connection, address.secret, timeout_s, place)
    except TimeoutError as error:
        connection.close()
        raise BoardError(
            f"{what}: no answer within {timeout_s:g} s: it has no key (then leave key-file away, "
            f"or start it with --key-file), or is busy with another session; {diagnosis(spec)}"
        ) from error
    except (OSError, BoardError) as error:
        connection.close()
        raise BoardError(f"{what} failed: {error}{_hint(spec)}; {diagnosis(spec)}") from error
    return connection


def _hint(spec: BoardSpec) -> str:
    if spec.kind != "tracker":
        return ""
    return " (behind a tracker, address and port have to be the same at both ends of a tunnel)"


def tracker_summary(spec: BoardSpec, timeout_s: float) -> dict[str, str]:
    """The keys that the tracker of `spec` has boards for, each with how many of them are free.

    Raises `BoardError`.
    """
    try:
        address = (spec.host, spec.port)
        with closing(socket.create_connection(address, timeout=timeout_s)) as tracker:
            _greet(tracker, spec)
            with _understood(spec):
                return _keys(_ask(tracker, spec, [TrackerCode.SUMMARY]))
    except OSError as error:
        raise _unreachable(spec, timeout_s, error) from error


def diagnosis(spec: BoardSpec) -> str:
    """What to do next where the board of `spec` does not do as it should."""
    return f"find out why with `python deploy_rpc/doctor.py --board {shlex.quote(spec.argument)}`"


def message(error: BaseException) -> str:
    """What an error of TVM says, in one line, without the stack trace that may follow it."""
    text = str(error).split("Stack trace:")[0].removeprefix(REMOTE_PREFIX)
    return " ".join(text.split()) or type(error).__name__


def _probe(spec: BoardSpec, timeout_s: float) -> None:
    """Raises where nothing listens: TVM's client says only that connecting failed."""
    try:
        socket.create_connection((spec.host, spec.port), timeout=timeout_s).close()
    except OSError as error:
        raise _unreachable(spec, timeout_s, error) from error


def _request(spec: BoardSpec, timeout_s: float) -> tuple[str, int, str]:
    """Host, port and match key of a free board with the key of `spec`."""
    with closing(socket.create_connection((spec.host, spec.port), timeout=timeout_s)) as tracker:
        _greet(tracker, spec)
        with _understood(spec):
            known = _keys(_ask(tracker, spec, [TrackerCode.SUMMARY]))
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


def _place(answer: Any) -> tuple[str, int, str]:  # noqa: ANN401 (JSON)
    """Host, port and match key of a tracker's answer; raises where they cannot be ones."""
    host, port, key = answer
    str(host).encode("idna"), str(key).encode()  # as they are sent
    if not 1 <= int(port) <= MAX_PORT:
        raise ValueError(f"a board on port {port}")
    return str(host), int(port), str(key)


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
        key: f"{key} ({queues[key]['free'] if key in queues else 0} of {count} free)"
        for key, count in sorted(boards.items())
    }


def _unreachable(spec: BoardSpec, timeout_s: float, error: OSError) -> BoardError:
    return BoardError(
        f"cannot connect to {spec.host}:{spec.port} (limit {timeout_s:g} s): "
        f"{error.strerror or error}; {diagnosis(spec)}"
    )
