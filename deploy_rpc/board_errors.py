"""What errors about boards say: what came from there, and what to do next."""

from __future__ import annotations

import shlex

from deploy_rpc.board_spec import BoardError, BoardSpec

REMOTE_PREFIX = "RPCError: Error caught from RPC call:"


def diagnosis(spec: BoardSpec) -> str:
    """What to do next where the board of `spec` does not do as it should."""
    return f"find out why with `python deploy_rpc/doctor.py --board {shlex.quote(spec.argument)}`"


def reason_of(error: Exception, spec: BoardSpec) -> str:
    """What `error` says without what to do next, for whoever does that already."""
    return str(error).removesuffix(f"; {diagnosis(spec)}")


def unreachable(
    host: str | None, port: int | None, spec: BoardSpec, timeout_s: float, error: OSError
) -> BoardError:
    """The error that nothing can be reached at `host` and `port`, on the way to `spec`'s board."""
    return BoardError(
        f"cannot connect to {host}:{port} (limit {timeout_s:g} s): "
        f"{error.strerror or error}; {diagnosis(spec)}"
    )


def message(error: BaseException) -> str:
    """What an error of TVM says, in one line, without the stack trace that may follow it."""
    text = str(error).split("Stack trace:")[0].removeprefix(REMOTE_PREFIX)
    return one_line(text) or type(error).__name__


def one_line(text: str) -> str:
    """What a board or a tracker says, in one line and without what would command a terminal."""
    shown = (c if c.isprintable() or c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return " ".join("".join(shown).split())
