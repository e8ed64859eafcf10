"""Candidates measured on boards: any number at once, each of which may fail at any moment.

Worker processes build them ahead of the boards; for this machine all of a batch are built before
the first is timed, so that no build takes its cores meanwhile. A board that fails, by an error,
silence, a clock that falls or wrong numbers, gives its candidate back to the queue, and is
connected anew; after `MOST_FAILURES` in a row it is set aside. Nothing of that is ever recorded as
a slow candidate. How one is judged is in `one_board.py`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any

from compile.schedules.templates import Made
from compile.tuning.builder import Builder, Built
from compile.tuning.candidate import Examined
from compile.tuning.one_board import BoardLimits, OneBoard
from compile.tuning.workers import result_of
from deploy_rpc.board_errors import diagnosis
from deploy_rpc.board_spec import BoardError, BoardSpec

LEAST_BATCH = 8
BATCH_OF_BOARD = 4  # candidates, so that few boards wait for the last ones
MOST_FAILURES = 3  # in a row, before a board is set aside
PAUSE_S = 1.0  # before a board is connected anew, times its failures
CLOSE_S = 10  # for the boards' threads to end

Pair = tuple[Made, Any]


class NoBoardLeftError(BoardError):
    """Every board was set aside."""


@dataclass(frozen=True)
class _Outcome:
    """What a board made of a candidate; without one the board ends, by `error` where there is one.

    A board that fails ends without: that is no error of the search.
    """

    index: int | None = None
    examined: Examined | None = None
    error: BaseException | None = None


@dataclass(frozen=True)
class _Batch:
    """Candidates, with what was begun to build them, and the indices of those to be taken."""

    pairs: Sequence[Pair]
    builds: Sequence[Future[Built | Examined]]
    waiting: deque[int]
    outcomes: queue.Queue[_Outcome]


class Boards:
    """`count` boards at `spec`: of one kind, so that their times compare. A context manager."""

    kind = "measured"
    unit = "s"

    def __init__(
        self,
        spec: BoardSpec,
        target_text: str,
        count: int,
        *,
        limits: BoardLimits,
        workers: int,
        say: Callable[[str], None],
    ) -> None:
        self.batch = max(LEAST_BATCH, BATCH_OF_BOARD * count)
        self._spec, self._limits, self._say = spec, limits, say
        self._builder = Builder(target_text, workers)
        self._boards = [
            OneBoard(number, spec, limits, self._builder, say) for number in range(1, count + 1)
        ]
        self._is_first = True
        self._threads: list[threading.Thread] = []
        self._ends = threading.Event()

    def __enter__(self) -> Boards:
        return self

    def __exit__(self, *error: object) -> None:
        """Ends all threads: one that is in TVM as Python ends takes the program with it."""
        self._ends.set()
        for board in self._boards:
            board.close()
        self._builder.close()
        for thread in self._threads:
            thread.join(CLOSE_S)

    def examine(self, pairs: Sequence[Pair]) -> Iterator[tuple[int, Examined]]:
        """Of each pair its index and what became of it, in the order in which boards are done.

        Raises `NoBoardLeftError` where all boards failed too often, `WorkerError`.
        """
        batch = self._begin(pairs)
        left = len(pairs)
        while left:
            working = self._start(batch)
            while working:
                outcome = batch.outcomes.get()
                if outcome.error is not None:
                    raise outcome.error
                if outcome.examined is None:
                    working -= 1
                else:
                    left -= 1
                    yield outcome.index, outcome.examined

    def _begin(self, pairs: Sequence[Pair]) -> _Batch:
        """Lets the workers begin, and the boards cool."""
        builds = [self._builder.start(made, tile) for made, tile in pairs]
        if self._spec.kind == "local":
            wait(builds)
        if not self._is_first:
            time.sleep(self._limits.cooldown_s)
        self._is_first = False
        return _Batch(pairs, builds, deque(range(len(pairs))), queue.Queue())

    def _start(self, batch: _Batch) -> int:
        """Sets the boards to work that can; how many they are."""
        able = [board for board in self._boards if board.failures < MOST_FAILURES]
        if not able:
            for board in self._boards:
                board.failures = 0
            raise NoBoardLeftError(
                f"no board is left at {self._spec}: each failed {MOST_FAILURES} times in a row; "
                f"{diagnosis(self._spec)}; then go on with --resume"
            )
        for board in able:
            name = f"board {board.number}"
            thread = threading.Thread(
                target=self._work, args=(board, batch), name=name, daemon=True
            )
            self._threads = [each for each in self._threads if each.is_alive()] + [thread]
            thread.start()
        return len(able)

    def _work(self, board: OneBoard, batch: _Batch) -> None:
        try:
            self._take(board, batch)
        except BaseException as error:  # whatever it is, the search ends with it
            batch.outcomes.put(_Outcome(error=error))
        else:
            batch.outcomes.put(_Outcome())

    def _take(self, board: OneBoard, batch: _Batch) -> None:
        """Takes what waits until nothing does, or the board is set aside."""
        while board.failures < MOST_FAILURES and not self._ends.is_set():
            try:
                index = batch.waiting.popleft()
            except IndexError:
                break
            candidate = result_of(batch.builds[index])
            try:
                examined = self._examine(board, *batch.pairs[index], candidate)
            except BoardError as error:
                batch.waiting.append(index)
                if not self._ends.is_set():  # else it fails because it was closed
                    self._failed(board, error)
                continue
            board.failures = 0
            batch.outcomes.put(_Outcome(index, examined))

    def _examine(
        self,
        board: OneBoard,
        made: Made,
        tile: Any,  # noqa: ANN401 (any template's tile)
        candidate: Built | Examined,
    ) -> Examined:
        if isinstance(candidate, Examined):
            return candidate
        examined = board.examine(made, tile, candidate)
        candidate.remove()
        return examined

    def _failed(self, board: OneBoard, error: BoardError) -> None:
        board.close()
        board.failures += 1
        self._say(f"board {board.number}, failure {board.failures} of {MOST_FAILURES}: {error}")
        if board.failures < MOST_FAILURES:
            self._ends.wait(PAUSE_S * board.failures)
        else:
            self._say(f"board {board.number} is set aside; {diagnosis(self._spec)}")
