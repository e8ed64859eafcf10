"""python deploy_rpc/serve.py emulated|agent|tracker|key: boards to connect to, or files for one.

    serve.py tracker                                          on 127.0.0.1:9190
    serve.py key board.key                                    a key that boards and clients share
    serve.py emulated --count 2 --tracker 127.0.0.1:9190      a farm of emulated boards
    serve.py agent --key-file board.key                       this machine as a board
    serve.py agent --bundle board.tar.gz                      what to copy to a real one

Those that listen serve until Ctrl-C, and end with all that they started.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tvm.rpc.tracker import TrackerServerHandler

from deploy_rpc.agent_process import RunningAgent, agent_process
from deploy_rpc.archive import write_archive
from deploy_rpc.board_spec import KEY_FILE, BoardError, BoardSpecError, parse_board
from deploy_rpc.bundle import BOARD_ISA, BundleError, board_bundle
from deploy_rpc.emulated_board import DEFAULT_EMULATED_CORE
from deploy_rpc.emulator import aarch64_sysroot, missing_emulation_tools, running_agent
from deploy_rpc.host import machine_isa
from deploy_rpc.shared_key import read_key, write_key
from model.cli import argument, new_file, positive_int, run_command

LOOPBACK = "127.0.0.1"
AGENT_PORT, TRACKER_PORT = 9090, 9190
START_LIMIT_S = 60
LOOK_EVERY_S = 0.2
RESTART_PAUSE_S = 1
SHORTEST_LIFE_S = 10  # of an agent that is worth starting again
INSTRUCTIONS = Path(__file__).parent / "agent" / "README.md"
LOADER = "ld-linux-aarch64.so.1"
LIBC_FILES = (  # what the agent needs where the board has no glibc; under lib/ of the sysroot
    *(LOADER, "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0"),
    *("librt.so.1", "libgcc_s.so.1", "libstdc++.so.6"),
)
TRACKER_WARNING = (
    "warning: whoever reaches {} can take boards away, offer false ones, and read the passwords of "
    "sessions. Give every agent and client the same --key-file: then a stranger gets no session, "
    "and a stranger's board is used only where it answers at the address and port of a true one. "
    "Only on a network that you trust"
)


def main(arguments: list[str] | None = None) -> None:
    """Serves until it is interrupted."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        options.serve(options)


def _emulated(options: argparse.Namespace) -> None:
    key = options.key or options.core
    words = [*_session_words(options), *_tracker_words(options.tracker, key)]

    def start(port: int) -> AbstractContextManager[RunningAgent]:
        return running_agent(
            options.core, START_LIMIT_S, ["--port", str(port), *words], quiet=False
        )

    ports = [options.port + index if options.port else 0 for index in range(options.count)]
    _keep_up([Board(f"emulated {options.core}", port, start) for port in ports], options, key)


def _agent(options: argparse.Namespace) -> None:
    if options.bundle:
        write_bundle(options.bundle, with_libc=options.with_libc)
        return
    if not _is_loopback(options.host) and not (options.allow_remote and options.key_file):
        raise BoardError(_refusal(options.host, "--allow-remote and --key-file FILE"))
    key = options.key or ("host" if options.tracker else "")
    words = [*_session_words(options), *_tracker_words(options.tracker, key)]
    words += ["--host", options.host, *(["--allow-remote"] if options.allow_remote else [])]
    agent = str(board_bundle(machine_isa()) / "agent")

    def start(port: int) -> AbstractContextManager[RunningAgent]:
        command = [agent, "--port", str(port), "--work", tempfile.gettempdir(), *words]
        return agent_process(command, what="the agent", timeout_s=START_LIMIT_S, quiet=False)

    _keep_up([Board("this machine", options.port, start)], options, key)


def _tracker(options: argparse.Namespace) -> None:
    if not _is_loopback(options.host):
        if not options.allow_remote:
            raise BoardError(_refusal(options.host, "--allow-remote"))
        print(TRACKER_WARNING.format(f"{options.host}:{options.port}"), file=sys.stderr)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((options.host, options.port))
        except OSError as error:
            raise BoardError(
                f"cannot listen on {options.host}:{options.port}: {error.strerror}; name another "
                "--port, or 0 for a free one"
            ) from error
        listener.listen()
        print(f"tracker on {options.host}:{listener.getsockname()[1]}", flush=True)
        TrackerServerHandler(listener, secrets.token_hex()).run()


@dataclass
class Board:
    """One agent of those that `_keep_up` keeps running; `start` takes its port."""

    name: str
    port: int
    start: Callable[[int], AbstractContextManager[RunningAgent]]
    life: ExitStack = field(default_factory=ExitStack)
    agent: RunningAgent | None = None
    since: float = 0

    def begin(self) -> None:
        """Starts the agent; raises `BoardError` where it does not come up."""
        self.agent = self.life.enter_context(self.start(self.port))
        self.port = self.agent.address.port  # a board that comes back does so where it was
        self.since = time.monotonic()

    def look_after(self) -> None:
        """Starts an agent that has ended again, unless it ended as soon as it was up."""
        if self.agent.process.poll() is None:
            return
        if time.monotonic() - self.since < SHORTEST_LIFE_S:
            raise BoardError(
                f"{self.name} on port {self.port} ended with {self.agent.process.returncode} "
                f"within {SHORTEST_LIFE_S} s; its reason is above"
            )
        print(f"{self.name} on port {self.port} has ended; starting it again", file=sys.stderr)
        self.life.close()
        time.sleep(RESTART_PAUSE_S)
        self.begin()


def _keep_up(boards: list[Board], options: argparse.Namespace, key: str) -> None:
    query = f"{KEY_FILE}{options.key_file}" if options.key_file else ""
    with ExitStack() as lives:
        for board in boards:
            lives.enter_context(board.life)
            board.begin()
            address = board.agent.address
            if not options.tracker:  # else only the tracker knows the password
                print(f"{board.name}: rpc://{address.host}:{address.port}{query}", flush=True)
        if options.tracker:
            print(f"{len(boards)} board(s): tracker://{options.tracker}/{key}{query}", flush=True)
        while True:
            time.sleep(LOOK_EVERY_S)
            for board in boards:
                board.look_after()


def write_bundle(out: Path, *, with_libc: bool = False) -> None:
    """Writes what a board needs, agent, runtime and instructions, as a .tar.gz; whole or not.

    `with_libc` adds the C library, for systems that have another one. Raises `BundleError`.
    """
    folder = board_bundle(BOARD_ISA)
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    if with_libc:
        missing = missing_emulation_tools()
        library_folder = aarch64_sysroot() / "lib"
        if not all((library_folder / name).exists() for name in LIBC_FILES):
            raise BundleError(f"no C library for aarch64 here: {'; '.join(missing)}")
        files |= {name: (library_folder / name).read_bytes() for name in LIBC_FILES}
    files["README.md"] = INSTRUCTIONS.read_bytes()
    write_archive(out, "board", files, ("agent", LOADER))


def _session_words(options: argparse.Namespace) -> list[str]:
    given = {
        "--session-limit": options.session_limit,
        "--user-id": options.user_id,
        "--key-file": options.key_file,
    }
    return [
        word for name, value in given.items() if value is not None for word in (name, str(value))
    ]


def _tracker_words(tracker: str | None, key: str) -> list[str]:
    return [*(["--key", key] if tracker else []), *(["--tracker", tracker] if tracker else [])]


def _is_loopback(host: str) -> bool:
    return host.startswith("127.")


def _refusal(host: str, words: str) -> str:
    return (
        f"{host} is not the loopback, and whoever reaches the port can run code or take boards. "
        f"Use a tunnel to {LOOPBACK} (deploy_rpc/agent/README.md), or, on a network you trust, "
        f"give {words}"
    )


def _key(options: argparse.Namespace) -> None:
    write_key(options.file)
    print(options.file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="serve.py", description="Boards to connect to, or the files that make one."
    )
    kinds = parser.add_subparsers(required=True, metavar="emulated|agent|tracker|key")
    emulated = kinds.add_parser("emulated", help="boards under QEMU on this machine")
    emulated.set_defaults(serve=_emulated)
    add = emulated.add_argument
    add("--core", default=DEFAULT_EMULATED_CORE, metavar="CORE",
        help=f"default: {DEFAULT_EMULATED_CORE}")  # fmt: skip
    add("--count", type=positive_int, default=1, metavar="N", help="how many (default: 1)")
    add("--port", type=_port, default=0, metavar="PORT",
        help="of the first; the others follow (default: free ones)")  # fmt: skip
    _board_options(emulated, "the core's name")
    agent = kinds.add_parser("agent", help="this machine as a board; or the files for another")
    agent.set_defaults(serve=_agent)
    add = agent.add_argument
    add("--host", default=LOOPBACK, metavar="ADDRESS", help=f"default: {LOOPBACK}")
    add("--port", type=_port, default=AGENT_PORT, metavar="PORT", help=f"default: {AGENT_PORT}")
    add("--bundle", type=new_file, metavar="FILE.tar.gz",
        help="write agent, runtime and instructions for an aarch64 board, and end")  # fmt: skip
    add("--with-libc", action="store_true",
        help="put the C library into the bundle, for boards without glibc")  # fmt: skip
    _board_options(agent, "host")
    _remote_option(agent)
    tracker = kinds.add_parser("tracker", help="hands out boards to those who ask")
    tracker.set_defaults(serve=_tracker)
    add = tracker.add_argument
    add("--host", default=LOOPBACK, metavar="ADDRESS", help=f"default: {LOOPBACK}")
    add("--port", type=_port, default=TRACKER_PORT, metavar="PORT",
        help=f"default: {TRACKER_PORT}; 0 takes a free one")  # fmt: skip
    _remote_option(tracker)
    key = kinds.add_parser("key", help="makes a key that boards and clients share")
    key.set_defaults(serve=_key)
    key.add_argument("file", type=new_file, metavar="FILE", help="written for you alone to read")
    return parser


def _board_options(parser: argparse.ArgumentParser, default_key: str) -> None:
    add = parser.add_argument
    add("--tracker", type=_address, metavar="HOST:PORT", help="offer the boards there, too")
    add("--key", metavar="KEY", help=f"what they are offered as (default: {default_key})")
    add("--key-file", type=argument(_key_file), metavar="FILE",
        help="serve only those who hold the same key, ?key-file=FILE behind BOARD (`serve.py key "
        "FILE` makes one; default: everyone on this machine)")  # fmt: skip
    add("--session-limit", type=positive_int, metavar="SECONDS",
        help="end sessions that last longer (default: none)")  # fmt: skip
    add("--user-id", type=_user_id, metavar="UID",
        help="whom sessions run as where this is root (default: nobody); 0, root itself, where a "
        "container lets no one change")  # fmt: skip


def _remote_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="allow addresses other than the loopback, on a network you trust",
    )


def _key_file(text: str) -> Path:
    path = Path(text).absolute()
    read_key(path)
    return path


def _user_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected a user's number, got {text!r}")
    return int(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"expected a port of 0 to 65535, got {text!r}")
    return int(text)


def _address(text: str) -> str:
    try:
        parse_board(f"rpc://{text}")
    except BoardSpecError as error:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {text!r}") from error
    return text


if __name__ == "__main__":
    run_command(main)
