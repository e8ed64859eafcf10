"""Candidates measured on boards: any number at once, each of which may fail at any moment.

A candidate's answer is checked on the board before its time counts; one that is wrong is a board's
fault where the board has the default tile wrong as well. A board that fails, by an error, silence
or wrong numbers, gives its candidate back to the queue, and is connected anew; after
`MOST_FAILURES` in a row it is set aside. Nothing of that is ever recorded as a slow candidate.

A time is the median of `SAMPLES` means over calls that last `SAMPLE_S` together, after one untimed
call, with the tensors in the caches as they are inside a network; all samples are recorded, and the
median leaves outliers without weight.
"""

from __future__ import annotations

import queue
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tvm

from compile.library import build_kernels
from compile.link import Linker, find_linker
from compile.schedules.templates import Made
from compile.targets import CompileTarget
from compile.tuning.candidate import (
    MOST_ERROR,
    Examined,
    answer_of,
    difference,
    does_not_build,
    inputs_of,
    with_tile,
    wrong_answer,
)
from deploy_rpc.board_spec import BoardError, BoardSpec
from deploy_rpc.session import Session, open_session
from deploy_rpc.session_kernels import LoadedKernels
from deploy_rpc.session_remote import diagnosis

SAMPLES = 9
SAMPLE_S = 2e-3
MOST_FAILURES = 3  # in a row, before a board is set aside
PAUSE_S = 1.0  # before a board is connected anew, times its failures
NAME = "kernel"

Pair = tuple[Made, Any]


class NoBoardLeftError(BoardError):
    """Every board was set aside."""


@dataclass
class _Board:
    """One board, with the session that is open on it; `failures` are those in a row."""

    number: int
    failures: int = 0
    session: Session | None = None
    open: ExitStack = field(default_factory=ExitStack)

    def close(self) -> None:
        self.session = None
        self.open.close()


@dataclass(frozen=True)
class _Outcome:
    """What a board made of a candidate; None where the board ends, with or without a failure."""

    board: _Board
    index: int | None = None
    examined: Examined | None = None


class Boards:
    """`count` boards at `spec`: of one kind, so that their times compare. A context manager."""

    kind = "measured"
    unit = "s"

    def __init__(
        self,
        spec: BoardSpec,
        target: CompileTarget,
        count: int,
        *,
        timeout_s: float,
        say: Callable[[str], None],
    ) -> None:
        self._spec, self._target, self._timeout_s, self._say = spec, target, timeout_s, say
        self._linker: Linker = find_linker("auto", target)
        self._boards = [_Board(number) for number in range(1, count + 1)]
        self._building = threading.Lock()  # of candidates, and of answers that are kept

    def __enter__(self) -> Boards:
        return self

    def __exit__(self, *error: object) -> None:
        for board in self._boards:
            board.close()

    def examine(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, Examined]]:
        """Of each pair its index and what became of it, in the order in which boards are done.

        Raises `NoBoardLeftError` where all boards failed too often.
        """
        waiting = deque(range(len(pairs)))
        outcomes: queue.Queue[_Outcome] = queue.Queue()
        left = len(pairs)
        while left:
            working = self._start(pairs, waiting, outcomes)
            while working:
                outcome = outcomes.get()
                if outcome.examined is None:
                    working -= 1
                else:
                    left -= 1
                    yield outcome.index, outcome.examined

    def _start(
        self, pairs: Sequence[Pair], waiting: deque[int], outcomes: queue.Queue[_Outcome]
    ) -> int:
        able = [board for board in self._boards if board.failures < MOST_FAILURES]
        if not able:
            for board in self._boards:
                board.failures = 0
            raise NoBoardLeftError(
                f"no board is left at {self._spec}: each failed {MOST_FAILURES} times in a row; "
                f"{diagnosis(self._spec)}; then go on with --resume"
            )
        for board in able:
            arguments = (board, pairs, waiting, outcomes)
            name = f"board {board.number}"
            threading.Thread(target=self._work, args=arguments, name=name, daemon=True).start()
        return len(able)

    def _work(
        self,
        board: _Board,
        pairs: Sequence[Pair],
        waiting: deque[int],
        outcomes: queue.Queue[_Outcome],
    ) -> None:
        """Takes what waits until nothing does, or the board is set aside."""
        while board.failures < MOST_FAILURES:
            try:
                index = waiting.popleft()
            except IndexError:
                break
            try:
                examined = self._examine(board, *pairs[index])
            except BoardError as error:
                waiting.append(index)
                self._failed(board, error)
                continue
            board.failures = 0
            outcomes.put(_Outcome(board, index, examined))
        outcomes.put(_Outcome(board))

    def _failed(self, board: _Board, error: BoardError) -> None:
        board.close()
        board.failures += 1
        self._say(f"board {board.number}, failure {board.failures} of {MOST_FAILURES}: {error}")
        if board.failures < MOST_FAILURES:
            time.sleep(PAUSE_S * board.failures)
        else:
            self._say(f"board {board.number} is set aside; {diagnosis(self._spec)}")

    def _examine(self, board: _Board, made: Made, tile: Any) -> Examined:  # noqa: ANN401
        candidate = with_tile(made, tile)
        if board.session is None:
            board.session = board.open.enter_context(
                open_session(self._spec, timeout_s=self._timeout_s)
            )
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "kernel.so"
            try:
                with self._building:
                    expected = answer_of(made)
                    shapes = self._build(candidate, library)
            except (tvm.error.TVMError, RuntimeError, ValueError) as failure:
                return does_not_build(failure)
            loaded = board.session.load_kernels(library, {NAME: shapes}, threads=made.threads)
            inputs = inputs_of(candidate)
            error = difference(loaded.run(NAME, inputs), expected)
        if error > MOST_ERROR:
            self._require_right_default(board, made, candidate)
            return wrong_answer(error)
        return Examined("ok", tuple(_samples(loaded)))

    def _require_right_default(self, board: _Board, made: Made, candidate: Made) -> None:
        """Raises `BoardError` where the board has the default tile wrong, too."""
        default = self._examine(board, made, made.tile) if candidate != made else None
        if default is None or default.outcome != "ok":
            raise BoardError(f"{self._spec}: wrong numbers from a kernel that is right elsewhere")

    def _build(self, candidate: Made, library: Path) -> tuple[tuple[int, ...], ...]:
        kernel = candidate.kernel()
        functions = {NAME: kernel}
        scratch = build_kernels(functions, self._target, self._linker, library, candidate.threads)
        buffers = [tuple(int(n) for n in buffer.shape) for buffer in kernel.params]
        return (*buffers, *scratch[NAME])


def _samples(loaded: LoadedKernels) -> list[float]:
    """Seconds of one call, `SAMPLES` times."""
    once = max(loaded.time_s(NAME, calls=1), 1e-9)
    calls = max(1, round(SAMPLE_S / once))
    return [loaded.time_s(NAME, calls=calls) for _ in range(SAMPLES)]
