"""BOARD of the command lines: where a library is to run, as text and as a value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from deploy_rpc.cores import UnknownCoreError, find_core
from model.errors import InputError

FORMS = (
    "local, emulated[:CORE], modelled[:CORE], rpc://HOST:PORT, tracker://HOST:PORT/KEY, the last "
    "two with ?key-file=FILE behind where the agent has a shared key"
)
KEY_FILE = "?key-file="
MAX_PORT = 65535
PORT = re.compile("[0-9]{1,5}")


class BoardSpecError(InputError):
    """A text that names no board."""


class BoardError(InputError):
    """A board that cannot be reached, does not answer, or fails at what it was asked to do."""


@dataclass(frozen=True)
class BoardSpec:
    """One BOARD. `kind` is local, emulated, modelled, rpc or tracker; the rest as the kind needs.

    `key_file` holds the key shared with the agent. `spec.argument` is the text that `parse_board`
    reads back; `str(spec)` is what reports and records call the board, without that file.
    """

    kind: str
    host: str | None = None
    port: int | None = None
    key: str | None = None
    core: str | None = None
    key_file: Path | None = None

    @property
    def under_qemu(self) -> bool:
        """Whether it is one of this machine's emulator."""
        return self.kind in ("emulated", "modelled")

    @property
    def kind_of_time(self) -> str | None:
        """What its times are: "measured", "modelled" where a run costs modelled cycles and no time
        can be had, or None where they would be those of the emulator."""
        return {"emulated": None, "modelled": "modelled"}.get(self.kind, "measured")

    @property
    def argument(self) -> str:
        """BOARD of a command line."""
        return f"{self}{KEY_FILE}{self.key_file}" if self.key_file else str(self)

    def __str__(self) -> str:
        if self.kind in ("rpc", "tracker"):
            host = f"[{self.host}]" if ":" in self.host else self.host
            key = f"/{self.key}" if self.kind == "tracker" else ""
            return f"{self.kind}://{host}:{self.port}{key}"
        return f"{self.kind}:{self.core}" if self.core else self.kind


def parse_board(text: str) -> BoardSpec:
    """The board that `text` names; raises `BoardSpecError` with the forms and what is wrong."""
    scheme, separator, rest = text.partition("://")
    rest, key_file = _without_key_file(text, rest)
    if separator and scheme == "rpc":
        host, port = _address(text, rest)
        return BoardSpec("rpc", host=host, port=port, key_file=key_file)
    if separator and scheme == "tracker":
        address, _, key = rest.partition("/")
        host, port = _address(text, address)
        if not key or "/" in key or any(character.isspace() for character in key):
            raise _wrong(text, f"expected one word as the key after the port, got {key!r}")
        return BoardSpec("tracker", host=host, port=port, key=key, key_file=key_file)
    if text == "local":
        return BoardSpec("local")
    kind, colon, core = text.partition(":")
    if kind in ("emulated", "modelled"):
        return BoardSpec(kind, core=_core(text, core) if colon else None)
    raise _wrong(text, "it begins like none of them")


def _without_key_file(text: str, rest: str) -> tuple[str, Path | None]:
    rest, sign, query = rest.partition("?")
    if not sign:
        return rest, None
    name, _, file = query.partition("=")
    if name != "key-file" or not file:
        raise _wrong(text, f"expected {KEY_FILE}FILE at its end, got ?{query}")
    return rest, Path(file)


def _address(text: str, address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise _wrong(text, f"write an IPv6 address in brackets, as [{host}]")
    if not host:
        raise _wrong(text, f"expected HOST:PORT, got {address!r}")
    if any(character.isspace() or character in "/@[]" for character in host) or not _is_name(host):
        raise _wrong(text, f"{host!r} is not the name or address of a host")
    if not (PORT.fullmatch(port) and 1 <= int(port) <= MAX_PORT):
        raise _wrong(text, f"expected a port of 1 to {MAX_PORT}, got {port!r}")
    return host, int(port)


def _is_name(host: str) -> bool:
    """Whether a resolver can be asked for it."""
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False


def _core(text: str, name: str) -> str:
    try:
        return find_core(name).name
    except UnknownCoreError as error:
        raise _wrong(text, str(error)) from error


def _wrong(text: str, problem: str) -> BoardSpecError:
    return BoardSpecError(f"{text!r} is not a board: {problem}; the forms are {FORMS}")
