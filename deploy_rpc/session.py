"""Sessions on boards near and far: load a library, run it there, time it there.

    with open_session("rpc://192.168.1.20:9090") as session:
        module = session.load(Path("build/net.so"), output_shapes=[(1, 1000)])
        scores = module.run(images)
        times = module.time_ms(images, repeats=20)

Every wait on a board has a limit (`time_limit`). All calls of a session are made by one daemon
thread, because TVM's thread pool belongs to the thread that configures it, and because freeing a
remote object talks to the board: a board that hangs must not take the program with it. TVM holds
Python's lock while it frees one, so that no limit helps where the board hangs just then: what our
libraries need on a board stays there for the next call, and goes with the session. A Relax VM's
tensors do come and go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import numpy as np

from deploy_rpc.board_errors import diagnosis, message
from deploy_rpc.board_spec import BoardError, BoardSpec, parse_board
from deploy_rpc.core_models import llvm_model
from deploy_rpc.elf import LibraryError, elf_machine
from deploy_rpc.emulated_board import emulated_core
from deploy_rpc.session_kernels import KernelProgram, LoadedKernels, Shapes, Tensors
from deploy_rpc.session_link import Link, link_to
from deploy_rpc.session_program import PlainProgram, Program, VmProgram
from deploy_rpc.time_limit import BoardTimeoutError, LimitedThread
from model.outputs import the_only

__all__ = ["BoardError", "BoardTimeoutError", "LoadedModule", "Session", "open_session"]

L = TypeVar("L", "LoadedModule", LoadedKernels)
S = TypeVar("S")
T = TypeVar("T")

CLOSE_S = 5
SLOWEST_RUN = 10  # a timed run may take this many times as long as the first one


@contextmanager
def open_session(spec: BoardSpec | str, *, timeout_s: float = 60) -> Iterator[Session]:
    """A session on the board of `spec`, closed at the end; no wait is longer than `timeout_s`.

    Raises `BoardError` where the board cannot be reached, and `BoardSpecError` for a text that
    names none.
    """
    spec = parse_board(spec) if isinstance(spec, str) else spec
    if spec.kind == "modelled":
        llvm_model(emulated_core(spec))  # a core that cannot be modelled is refused at once
    with link_to(spec, timeout_s) as link:
        session = Session(spec, link, timeout_s)
        try:
            yield session
        finally:
            session.close()


class Session:
    """An open board. `isa` is its machine as `elf_machine` names it, None where not known.

    `kind_of_time` is `BoardSpec`'s, but None where a board says that it is emulated.
    """

    def __init__(self, spec: BoardSpec, link: Link, timeout_s: float) -> None:
        self.spec = spec
        self.isa = link.isa
        self.kind_of_time = spec.kind_of_time
        if link.is_emulated and self.kind_of_time == "measured":
            self.kind_of_time = None
        self.timeout_s = timeout_s
        self._link: Link | None = link
        self._thread = LimitedThread()
        self._loaded: list[LoadedModule | LoadedKernels] = []

    def load(self, library: Path, *, output_shapes: Shapes, threads: int = 1) -> LoadedModule:
        """The library on the board, ready to run on exactly `threads` threads.

        It holds a Relax VM executable with `main(x)`, or a plain function `main(x, y, ...)` with a
        parameter for each output. Raises `LibraryError` for another machine's library, `BoardError`
        where the board cannot take it.
        """
        program = self._put(library, self._load, output_shapes)
        return self._keep(LoadedModule(self, program, threads), threads)

    def load_kernels(self, library: Path, tensors: Tensors, *, threads: int = 1) -> LoadedKernels:
        """Functions of the library on the board, by name with their tensors.

        Raises as `load` does.
        """
        program = self._put(library, self._load_kernels, tensors)
        return self._keep(LoadedKernels(self, program, threads), threads)

    def call(
        self, what: str, function: Callable[..., T], *args: object, limit_s: float | None = None
    ) -> T:
        """`function(*args)` in the session's thread; every failure becomes a `BoardError`."""
        limit_s = self.timeout_s if limit_s is None else limit_s
        what = f"{self.spec}: {what}"
        if self._link is None:
            raise BoardError(f"{what}: the session is closed; open a new one")
        try:
            return self._thread.call_within(limit_s, function, *args, what=what)
        except BoardTimeoutError as error:
            raise BoardTimeoutError(f"{error}; {diagnosis(self.spec)}") from error
        except BoardError:
            raise
        except Exception as error:  # TVM raises many types, from C++ and from the board
            raise BoardError(f"{what} failed: {message(error)}; {diagnosis(self.spec)}") from error

    def round_trip_s(self) -> float:
        """Seconds from a question to the board's answer; raises `BoardError`."""
        start = time.perf_counter()
        self.board_file("load")
        return time.perf_counter() - start

    def board_file(self, name: str) -> str:
        """What the board tells of its `governor`, `frequency` (kHz), `temperature` (1/1000 of a
        degree Celsius) or `load`; "" where it does not."""
        return self.call(f"asking for the {name}", lambda: self._link.board_file(name))

    def require_times(self) -> None:
        """Raises `BoardError` where the board has no times worth the name."""
        if self.kind_of_time != "measured":
            raise BoardError(
                f"{self.spec} has no times: QEMU's clock measures the emulator; time on a real "
                "board (rpc:// or tracker://)"
            )

    def set_threads(self, threads: int) -> None:
        """Gives the pool `threads` threads; to be called through `call` only."""
        granted = self._link.set_threads(threads)
        if granted != threads:
            raise BoardError(
                f"{self.spec}: asked for {threads} threads, the board grants {granted}; ask for "
                f"that many, or start its server with TVM_NUM_THREADS={threads}"
            )

    def close(self) -> None:
        """Frees what the session holds on the board; one that hangs is not waited for."""
        with suppress(BoardError):  # freeing would hang where this hangs
            self.call("closing", self._link.set_threads, 1, limit_s=min(CLOSE_S, self.timeout_s))
        if not self._thread.left_behind:
            with suppress(BoardTimeoutError):
                self._thread.call_within(self.timeout_s, self._free, what="freeing the modules")
        self._thread.end(self._free)  # where it hangs: when its last call returns

    def _put(self, library: Path, load: Callable[[Path, str, S], T], shape: S) -> T:
        """What `load` makes of the library, which must be one for this board's machine."""
        machine = elf_machine(library)
        if self.isa not in (None, machine):
            raise LibraryError(
                f"{library} is for {machine}, but {self.spec} is {self.isa}; build it for that"
            )
        name = f"{len(self._loaded)}-{library.name}"
        return self.call(f"loading {library}", load, library, name, shape)

    def _keep(self, loaded: L, threads: int) -> L:
        self._loaded.append(loaded)
        self.call("setting the threads", self.set_threads, threads)
        return loaded

    def _load_kernels(self, library: Path, name: str, tensors: Tensors) -> KernelProgram:
        return KernelProgram(self._link.load(library, name), self._link.device, tensors)

    def _load(self, library: Path, name: str, output_shapes: Shapes) -> Program:
        module = self._link.load(library, name)
        kind = VmProgram if module.implements_function("vm_load_executable") else PlainProgram
        return kind(module, self._link.device, output_shapes)

    def _free(self) -> None:
        for module in self._loaded:
            module.program = None
        if self._link:
            self._link.free()
        self._link = None


class LoadedModule:
    """A library on a board; it lives as long as its session."""

    def __init__(self, session: Session, program: Program, threads: int) -> None:
        self.program: Program | None = program
        self._session = session
        self._threads = threads
        self._run_s: float | None = None  # of the first run, which limits the wait for timed ones

    def run(self, x: np.ndarray) -> np.ndarray:
        """The network's only output for the input `x`, computed on the board.

        Raises `BoardError`, and `SeveralOutputsError` where it has several.
        """
        return the_only(self.run_all(x))

    def run_all(self, x: np.ndarray) -> list[np.ndarray]:
        """All outputs for the input `x`, computed on the board; raises `BoardError`."""
        start = time.perf_counter()
        outputs = self._session.call("running", self._run, x)
        self._run_s = self._run_s or time.perf_counter() - start
        return outputs

    def time_ms(self, x: np.ndarray, *, repeats: int, warmup: int = 3) -> list[float]:
        """Milliseconds of each of `repeats` single runs, by the board's clock, after `warmup` more.

        TVM's time evaluator adds one untimed run before the first.
        Raises `BoardError` where the board has no times worth the name.
        """
        return self._times_ms(x, repeats=warmup + repeats, runs=1)[warmup:]

    def mean_ms(self, x: np.ndarray, *, runs: int) -> float:
        """Milliseconds of a run, the mean of `runs` in a row between two looks at the clock.

        In `time_ms` the looks take some microseconds of a run. An untimed one comes first.
        Raises `BoardError` where the board has no times worth the name.
        """
        return self._times_ms(x, repeats=1, runs=runs)[0]

    def _times_ms(self, x: np.ndarray, *, repeats: int, runs: int) -> list[float]:
        self._session.require_times()
        if self._run_s is None:
            self.run_all(x)
        limit_s = self._session.timeout_s + SLOWEST_RUN * self._run_s * repeats * runs
        timing = self._session.call("timing", self._time, x, repeats, runs, limit_s=limit_s)
        return [1e3 * seconds for seconds in timing]

    def _run(self, x: np.ndarray) -> list[np.ndarray]:
        self._session.set_threads(self._threads)
        return self.program.run(np.ascontiguousarray(x))

    def _time(self, x: np.ndarray, repeats: int, runs: int) -> Sequence[float]:
        self._session.set_threads(self._threads)
        return self.program.time_s(np.ascontiguousarray(x), repeats, runs)
