"""The link of a session to its board: this machine itself, or one at the end of a wire."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import tvm
from tvm import rpc

from deploy_rpc.board_errors import one_line
from deploy_rpc.board_files import local_board_file
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.emulated_board import emulated_core
from deploy_rpc.emulator import running_agent
from deploy_rpc.host import machine_isa
from deploy_rpc.session_remote import connect_board, connect_server
from deploy_rpc.shared_key import new_key
from deploy_rpc.time_limit import call_within

BIG_CORES, GIVEN_CORES = 1, -3  # affinity modes of TVM's thread pool


@dataclass
class Link:
    """The few things that differ between this machine and one at the end of a wire.

    `set_threads` returns how many threads the board's pool now has; `free` frees all else there.
    `is_emulated` is what the board says of itself.
    """

    isa: str | None
    device: tvm.runtime.Device
    load: Callable[[Path, str], tvm.runtime.Module]
    set_threads: Callable[[int], int]
    board_file: Callable[[str], str]
    free: Callable[[], None] = lambda: None
    is_emulated: bool = False


@contextmanager
def link_to(spec: BoardSpec, timeout_s: float) -> Iterator[Link]:
    """A link to the board of `spec`, which is started where it is one under QEMU.

    Raises `BoardError` where it cannot be reached within `timeout_s`.
    """
    if spec.kind == "local":
        with tempfile.TemporaryDirectory(prefix="local-board-") as folder:
            yield _local_link(Path(folder))
    elif spec.under_qemu:
        agents = running_agent(emulated_core(spec).name, timeout_s, secret=new_key())
        with agents as agent, ExitStack() as until_closed:
            remote = connect_server(agent.address, "", spec, timeout_s, until_closed)
            yield _remote_link(remote, timeout_s)
    else:
        with ExitStack() as until_closed:
            yield _remote_link(connect_board(spec, timeout_s, until_closed), timeout_s)


def _local_link(folder: Path) -> Link:
    """This machine; libraries are loaded from copies, as the loader knows a file by its name and
    would hand out the old one where a path was built anew."""
    cpus = [str(cpu) for cpu in sorted(os.sched_getaffinity(0))]
    configure = tvm.get_global_func("runtime.config_threadpool")
    count = tvm.get_global_func("runtime.NumThreads")

    def load(path: Path, name: str) -> tvm.runtime.Module:
        return tvm.runtime.load_module(shutil.copyfile(path, folder / name))

    def set_threads(threads: int) -> int:
        with _environment("TVM_NUM_THREADS", str(len(cpus))):  # by default half of x86's
            configure(GIVEN_CORES, threads, cpus)
        return count()

    isa = machine_isa()
    return Link(isa, tvm.cpu(), load, set_threads, local_board_file)


def _remote_link(remote: rpc.RPCSession, timeout_s: float) -> Link:
    function = functools.cache(remote.get_function)

    def load(path: Path, name: str) -> tvm.runtime.Module:
        remote.upload(str(path), name)
        return remote.load_module(name)

    def set_threads(threads: int) -> int:
        function("runtime.config_threadpool")(BIG_CORES, threads)
        return function("runtime.NumThreads")()

    def board_file(name: str) -> str:
        try:
            return one_line(str(function("shufflenet.board_file")(name)))
        except AttributeError:  # a server that is not ours
            function("runtime.NumThreads")()
            return ""

    what = "asking the board what it runs"
    isa, emulator = call_within(timeout_s, _facts_of, function, what=what)
    free = function.cache_clear
    return Link(isa, remote.cpu(), load, set_threads, board_file, free, bool(emulator))


def _facts_of(function: Callable[[str], Callable[[], str]]) -> tuple[str | None, str]:
    """Instruction set and emulator of a board; None and "" where it does not tell."""
    names = ("shufflenet.board_isa", "shufflenet.emulator")
    isa, emulator = (_said_by(function, name) for name in names)
    return isa or None, emulator


def _said_by(function: Callable[[str], Callable[[], str]], name: str) -> str:
    """What our agent answers; "" from a server that is not ours."""
    try:
        return one_line(str(function(name)()))
    except AttributeError:
        return ""


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
