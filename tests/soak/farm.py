"""A tracker and boards of this machine, as `serve.py` starts them and keeps them up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy_rpc.shared_key import write_key

END_LIMIT_S = 120
OLD_S = 12  # an agent that ends sooner is taken for one that cannot run
TEMPORARY = "tmp"  # in the folder of a soak, short, for paths of sockets


@dataclass
class Farm:
    """Processes that serve the boards; `board` is how all of them are named to a client."""

    tracker: subprocess.Popen[str]
    boards: list[subprocess.Popen[str]]
    board: str

    def pids(self) -> list[int]:
        """The tracker, and the processes that keep the agents up."""
        return [self.tracker.pid, *(board.pid for board in self.boards)]

    def agents(self) -> list[psutil.Process]:
        """One a board, but for one that has just ended."""
        return [child for each in self.boards for child in psutil.Process(each.pid).children()]

    def old_agents(self) -> list[psutil.Process]:
        """Those that are started again when they end."""
        return [each for each in self.agents() if time.time() - each.create_time() > OLD_S]

    def sessions(self) -> list[psutil.Process]:
        """Those that are open, on all boards."""
        found = []
        for agent in self.agents():
            with suppress(psutil.NoSuchProcess):
                found += agent.children()
        return found


def start_farm(running: ExitStack, folder: Path, count: int) -> Farm:
    """A tracker and `count` boards with a key, ended with `running`."""
    key = folder / "board.key"
    write_key(key)
    (folder / TEMPORARY).mkdir()
    tracker, address = start_tracker(running, folder)
    words = ("--tracker", address, "--key", "here", "--key-file", str(key))
    agents = [
        start_program(running, folder, "deploy_rpc.serve", "agent", "--port", "0", *words)
        for _ in range(count)
    ]
    return Farm(tracker, agents, agents[0].stdout.readline().split()[-1])


def start_tracker(
    running: ExitStack, folder: Path, port: int = 0
) -> tuple[subprocess.Popen[str], str]:
    """With its HOST:PORT."""
    tracker = start_program(running, folder, "deploy_rpc.serve", "tracker", "--port", str(port))
    return tracker, tracker.stdout.readline().split()[-1]


def restart_tracker(running: ExitStack, folder: Path, farm: Farm) -> None:
    """Kills it, where it still runs, and starts another one at its port."""
    farm.tracker.kill()
    farm.tracker.wait()
    port = int(farm.board.partition("?")[0].split("/")[2].rpartition(":")[2])
    farm.tracker, _ = start_tracker(running, folder, port)


def start_program(
    running: ExitStack, folder: Path, module: str, *words: str, stderr: int | None = None
) -> subprocess.Popen[str]:
    """`python -m MODULE WORDS`, its temporary files in `folder`, ended with `running`.

    Errors are told where `stderr` says, which is as for `subprocess`.
    """
    command: Sequence[str] = [sys.executable, "-m", module, *words]
    environment = os.environ | {"TMPDIR": str(folder / TEMPORARY)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
    )
    running.callback(end_program, process)
    return process


def end_program(process: subprocess.Popen[str]) -> None:
    """By Ctrl-C, or else by force."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
