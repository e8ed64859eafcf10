"""The board agent run natively on this machine, and TVM's tracker, for tests of what uses them."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from tvm import rpc

from deploy_rpc.agent_process import Address, RunningAgent, agent_process
from deploy_rpc.bundle import board_bundle
from deploy_rpc.host import machine_isa

LIMIT_S = 60


@contextmanager
def native_agent(folder: Path, *words: str) -> Iterator[RunningAgent]:
    with agent_process([*_command(folder), *words], what="the agent", timeout_s=LIMIT_S) as agent:
        yield agent


@contextmanager
def agent_with_words(folder: Path, *words: str) -> Iterator[subprocess.Popen]:
    """An agent whose lines can be read, also those of its log."""
    agent = subprocess.Popen(
        [*_command(folder), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield agent
    finally:
        agent.terminate()
        agent.communicate(timeout=LIMIT_S)


def _command(folder: Path) -> list[str]:
    return [str(board_bundle(machine_isa()) / "agent"), "--port", "0", "--work", str(folder)]


@contextmanager
def tracker_process(port: int = 0) -> Iterator[tuple[str, subprocess.Popen]]:
    """TVM's tracker as `serve.py` starts it, at HOST:PORT."""
    command = [sys.executable, "-m", "deploy_rpc.serve", "tracker", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().split()[-1], process
    finally:
        process.kill()
        process.communicate()


def becomes_true(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether `condition` was true once within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def free_boards(tracker: str) -> int:
    """How many boards wait at the tracker."""
    host, _, port = tracker.rpartition(":")
    try:
        return rpc.connect_tracker(host, int(port)).summary()["queue_info"]["here"]["free"]
    except KeyError:
        return 0


def connected(address: Address) -> socket.socket:
    """A connection to the agent at `address`, for a test to say what it likes."""
    return socket.create_connection((address.host, address.port), timeout=LIMIT_S)


def processes_and_listeners() -> tuple[set[int], set[tuple[str, int]]]:
    """Of this process and all that it started: their ids, and the addresses they listen on."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    listeners = set()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            connections = process.net_connections("inet")
            listeners |= {tuple(c.laddr) for c in connections if c.status == psutil.CONN_LISTEN}
    return {process.pid for process in processes}, listeners


def no_session(work: Path) -> bool:
    """Whether an agent that works in the folder `work` has no session."""
    return not list(work.glob("shufflenet-session-*"))
