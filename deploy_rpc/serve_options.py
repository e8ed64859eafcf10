"""The command line of serve.py: what each kind of board takes, and what does not go together."""

from __future__ import annotations

import argparse
import ipaddress
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from deploy_rpc.board_spec import KEY_FILE, MAX_PORT, BoardSpecError, parse_board
from deploy_rpc.emulated_board import DEFAULT_EMULATED_CORE
from deploy_rpc.shared_key import read_key
from model.cli import argument, new_file, positive_int

LOOPBACK = "127.0.0.1"
AGENT_PORT, TRACKER_PORT = 9090, 9190
OF_A_SERVING_AGENT = (
    *("host", "port", "tracker", "key", "key_file", "session_limit", "user_id", "allow_remote"),
)
KEY = re.compile(r"[A-Za-z0-9_.+-]{1,256}")  # these three are the bounds of agent/options.c
LONGEST_LIMIT_S = 7 * 24 * 3600
LARGEST_USER_ID = 65534


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """The options; `kind` is emulated, agent, tracker or key. Wrong ones leave with 2."""
    parser = argparse.ArgumentParser(
        prog="serve.py", description="Boards to connect to, or the files that make one."
    )
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="emulated|agent|tracker|key")
    faults = {
        "emulated": _add_emulated(kinds.add_parser("emulated", help="boards under QEMU here")),
        "agent": _add_agent(
            kinds.add_parser("agent", help="this machine as a board; or the files for another")
        ),
        "tracker": _add_tracker(
            kinds.add_parser("tracker", help="hands out boards to those who ask")
        ),
    }
    key = kinds.add_parser("key", help="makes a key that boards and clients share")
    key.add_argument("file", type=new_file, metavar="FILE", help="written for you alone to read")
    options = parser.parse_args(arguments)
    fault = faults[options.kind](options) if options.kind in faults else None
    if fault:
        kinds.choices[options.kind].error(fault)
    return options


Fault = Callable[
    [argparse.Namespace], str | None
]  # what is wrong with the options, None if nothing


def _add_emulated(parser: argparse.ArgumentParser) -> Fault:
    add = parser.add_argument
    add("--core", default=DEFAULT_EMULATED_CORE, metavar="CORE",
        help=f"default: {DEFAULT_EMULATED_CORE}")  # fmt: skip
    add("--count", type=positive_int, default=1, metavar="N", help="how many (default: 1)")
    add("--port", type=_port, default=0, metavar="PORT",
        help="of the first; the others follow (default: free ones)")  # fmt: skip
    _add_board(parser, "the core's name")
    return _fault_of_emulated


def _fault_of_emulated(options: argparse.Namespace) -> str | None:
    if options.port and options.port + options.count - 1 > MAX_PORT:
        return f"--port {options.port} leaves no {options.count} ports up to {MAX_PORT}"
    return _fault_of_key(options)


def _add_agent(parser: argparse.ArgumentParser) -> Fault:
    add = parser.add_argument
    add("--host", type=_ipv4, default=LOOPBACK, metavar="ADDRESS", help=f"default: {LOOPBACK}")
    add("--port", type=_port, default=AGENT_PORT, metavar="PORT", help=f"default: {AGENT_PORT}")
    add("--bundle", type=new_file, metavar="FILE.tar.gz",
        help="write agent, runtime and instructions for an aarch64 board, and end")  # fmt: skip
    add("--with-libc", action="store_true",
        help="put the C library into the bundle, for boards without glibc")  # fmt: skip
    _add_board(parser, "host")
    _add_remote(parser)
    return partial(_fault_of_agent, parser)


def _fault_of_agent(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str | None:
    if options.bundle:
        for name in OF_A_SERVING_AGENT:
            if getattr(options, name) != parser.get_default(name):
                return f"--bundle writes files and serves nobody: leave --{_dashed(name)} away"
        return None
    if options.with_libc:
        return "--with-libc is of a bundle: name its --bundle FILE.tar.gz"
    if not is_loopback(options.host) and not (options.allow_remote and options.key_file):
        return _refusal(options.host, "--allow-remote and --key-file FILE")
    return _fault_of_key(options)


def _add_tracker(parser: argparse.ArgumentParser) -> Fault:
    add = parser.add_argument
    add("--host", default=LOOPBACK, metavar="ADDRESS", help=f"default: {LOOPBACK}")
    add("--port", type=_port, default=TRACKER_PORT, metavar="PORT",
        help=f"default: {TRACKER_PORT}; 0 takes a free one")  # fmt: skip
    _add_remote(parser)
    return _fault_of_tracker


def _fault_of_tracker(options: argparse.Namespace) -> str | None:
    if is_loopback(options.host) or options.allow_remote:
        return None
    return _refusal(options.host, "--allow-remote")


def _fault_of_key(options: argparse.Namespace) -> str | None:
    if options.key and not options.tracker:
        return "--key is what a tracker offers the boards as: name the --tracker HOST:PORT, too"
    return None


def is_loopback(host: str) -> bool:
    """Whether nobody outside this machine reaches `host`."""
    return host.startswith("127.")


def _add_board(parser: argparse.ArgumentParser, default_key: str) -> None:
    add = parser.add_argument
    add("--tracker", type=_address, metavar="HOST:PORT", help="offer the boards there, too")
    add("--key", type=_key, metavar="KEY",
        help=f"what they are offered as (default: {default_key})")  # fmt: skip
    add("--key-file", type=argument(_key_file), metavar="FILE",
        help="serve only those who hold the same key, ?key-file=FILE behind BOARD (`serve.py key "
        "FILE` makes one; default: everyone on this machine)")  # fmt: skip
    add("--session-limit", type=_session_limit, metavar="SECONDS",
        help="end sessions that last longer (default: none)")  # fmt: skip
    add("--user-id", type=_user_id, metavar="UID",
        help="whom sessions run as where this is root (default: nobody); 0, root itself, where a "
        "container lets no one change")  # fmt: skip


def _add_remote(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="allow addresses other than the loopback, on a network you trust",
    )


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _refusal(host: str, words: str) -> str:
    return (
        f"{host} is not the loopback, and whoever reaches the port can run code or take boards. "
        f"Use a tunnel to {LOOPBACK} (deploy_rpc/agent/README.md), or, on a network you trust, "
        f"give {words}"
    )


def _key(text: str) -> str:
    if not KEY.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"expected up to 256 letters, digits and -_.+, got {text!r}"
        )
    return text


def _key_file(text: str) -> Path:
    path = Path(text).absolute()
    read_key(path)
    return path


def _session_limit(text: str) -> int:
    return _number(text, 1, LONGEST_LIMIT_S, "seconds")


def _user_id(text: str) -> int:
    return _number(text, 0, LARGEST_USER_ID, "the number of a user")


def _port(text: str) -> int:
    return _number(text, 0, MAX_PORT, "a port")


def _number(text: str, least: int, most: int, what: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else -1
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"expected {what} of {least} to {most}, got {text!r}")
    return number


def _ipv4(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected an IPv4 address, got {text!r}") from error


def _address(text: str) -> str:
    try:
        spec = parse_board(f"rpc://{text}")
    except BoardSpecError as error:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {text!r}") from error
    if spec.key_file:
        raise argparse.ArgumentTypeError(
            f"expected HOST:PORT, got {text!r}: a tracker knows of no key; without {KEY_FILE}FILE "
            "here, give the agent --key-file FILE"
        )
    return text
