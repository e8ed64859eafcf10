"""Connections to boards over TVM's RPC: straight to one, or to a free one of a tracker's.

Where client and agent share a key, both prove it before TVM's client begins (`relay.py`).
"""

from __future__ import annotations

import socket
from contextlib import ExitStack

from tvm import rpc

from deploy_rpc.agent_process import Address
from deploy_rpc.board_errors import diagnosis, message, unreachable
from deploy_rpc.board_spec import BoardError, BoardSpec
from deploy_rpc.relay import Relay, start_relay
from deploy_rpc.shared_key import KeyRefusedError, asks_for_a_key, place_of, prove, read_key
from deploy_rpc.time_limit import BoardTimeoutError, call_within
from deploy_rpc.tracker_client import request_board

SESSION_LIMIT_S = 24 * 3600  # after this a board's server ends a session that was left behind
GREETING_LIMIT_S = 1  # for an agent's first words


def connect_board(spec: BoardSpec, timeout_s: float, until_closed: ExitStack) -> rpc.RPCSession:
    """A session on the board of an `rpc` or `tracker` spec, each wait at most `timeout_s`.

    With `until_closed` a connection with a key ends, so that a board that hangs is free again.
    Raises `BoardError` with host, port, limit and the command that diagnoses it.
    """
    secret = read_key(spec.key_file) if spec.key_file else None
    if spec.kind == "rpc":
        if not secret:  # else the connection over which it is proved says what is amiss
            _probe(spec, timeout_s)
        address = Address(spec.host, spec.port, secret)
        return connect_server(address, "", spec, timeout_s, until_closed)
    relay = _relay(secret, timeout_s, until_closed)  # first: a board waits for us only for seconds
    host, port, key = request_board(spec, timeout_s)
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
            raise KeyRefusedError(
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
        raise unreachable(address.host, address.port, spec, timeout_s, error) from error
    try:
        place = place_of(connection, key) if spec.kind == "tracker" else b""
        prove(connection, address.secret, timeout_s, place)
    except TimeoutError as error:
        connection.close()
        raise BoardError(
            f"{what}: no answer within {timeout_s:g} s: it has no key (then leave key-file away, "
            f"or start it with --key-file), or is busy with another session; {diagnosis(spec)}"
        ) from error
    except KeyRefusedError as error:
        connection.close()
        raise KeyRefusedError(f"{what} failed: {error}{_hint(spec)}; {diagnosis(spec)}") from error
    except (OSError, BoardError) as error:
        connection.close()
        raise BoardError(f"{what} failed: {error}; {diagnosis(spec)}") from error
    return connection


def _hint(spec: BoardSpec) -> str:
    if spec.kind != "tracker":
        return ""
    return " (behind a tracker, address and port have to be the same at both ends of a tunnel)"


def _probe(spec: BoardSpec, timeout_s: float) -> None:
    """Raises where nothing listens: TVM's client says only that connecting failed."""
    try:
        socket.create_connection((spec.host, spec.port), timeout=timeout_s).close()
    except OSError as error:
        raise unreachable(spec.host, spec.port, spec, timeout_s, error) from error
