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
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path

if __name__ == "__main__":
    sys.modules["torch"] = None  # which TVM imports where it is installed, and no server needs

from tvm.rpc.tracker import TrackerServerHandler

from deploy_rpc.agent_process import RunningAgent, agent_process
from deploy_rpc.archive import write_archive
from deploy_rpc.board_spec import KEY_FILE, BoardError
from deploy_rpc.bundle import BOARD_ISA, BundleError, board_bundle
from deploy_rpc.emulator import aarch64_sysroot, missing_emulation_tools, running_agent
from deploy_rpc.host import machine_isa
from deploy_rpc.kept_boards import Board, keep_up
from deploy_rpc.serve_options import is_loopback, parse_options
from deploy_rpc.shared_key import write_key
from model.cli import run_command

START_LIMIT_S = 60
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
    """Serves until it is interrupted, which is its end and no failure; before, it is one."""
    options = parse_options(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    KINDS[options.kind](options)


def _emulated(options: argparse.Namespace) -> None:
    key = options.key or options.core
    words = [*_session_words(options), *_tracker_words(options.tracker, key)]

    def start(port: int) -> AbstractContextManager[RunningAgent]:
        return running_agent(
            options.core, START_LIMIT_S, ["--port", str(port), *words], quiet=False
        )

    ports = [options.port + index if options.port else 0 for index in range(options.count)]
    _serve([Board(f"emulated {options.core}", port, start) for port in ports], options, key)


def _agent(options: argparse.Namespace) -> None:
    if options.bundle:
        write_bundle(options.bundle, with_libc=options.with_libc)
        return
    key = options.key or ("host" if options.tracker else "")
    words = [*_session_words(options), *_tracker_words(options.tracker, key)]
    words += ["--host", options.host, *(["--allow-remote"] if options.allow_remote else [])]
    agent = str(board_bundle(machine_isa()) / "agent")

    def start(port: int) -> AbstractContextManager[RunningAgent]:
        command = [agent, "--port", str(port), "--work", tempfile.gettempdir(), *words]
        return agent_process(command, what="the agent", timeout_s=START_LIMIT_S, quiet=False)

    _serve([Board("this machine", options.port, start)], options, key)


def _tracker(options: argparse.Namespace) -> None:
    if not is_loopback(options.host):
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
        with suppress(KeyboardInterrupt):
            print(f"tracker on {options.host}:{listener.getsockname()[1]}", flush=True)
            TrackerServerHandler(listener, secrets.token_hex()).run()


def _key(options: argparse.Namespace) -> None:
    write_key(options.file)
    print(options.file)


KINDS = {"emulated": _emulated, "agent": _agent, "tracker": _tracker, "key": _key}


def _serve(boards: list[Board], options: argparse.Namespace, key: str) -> None:
    query = f"{KEY_FILE}{options.key_file}" if options.key_file else ""
    with ExitStack() as lives:
        for board in boards:
            lives.enter_context(board.life)
            board.begin()
        with suppress(KeyboardInterrupt):
            if options.tracker:  # which alone knows the passwords
                print(f"{len(boards)} board(s): tracker://{options.tracker}/{key}{query}")
            else:
                for board in boards:
                    address = board.agent.address
                    print(f"{board.name}: rpc://{address.host}:{address.port}{query}")
            sys.stdout.flush()
            keep_up(boards)


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


if __name__ == "__main__":
    run_command(main)
