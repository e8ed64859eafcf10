"""Agents that are kept running: one that ends is started again, on its port.

One that ends at once again and again is left out in the end; the others go on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field

from deploy_rpc.agent_process import RunningAgent
from deploy_rpc.board_spec import BoardError

LOOK_EVERY_S = 0.2
RESTART_PAUSE_S = 1  # doubled behind each short life
SHORTEST_LIFE_S = 10
SHORT_LIVES = 5  # in a row, and a board is given up


@dataclass
class Board:
    """One agent of those that `keep_up` keeps running; `start` takes its port."""

    name: str
    port: int
    start: Callable[[int], AbstractContextManager[RunningAgent]]
    life: ExitStack = field(default_factory=ExitStack)
    agent: RunningAgent | None = None
    since: float = 0
    due: float = 0  # when it is started again
    short_lives: int = 0

    def begin(self) -> None:
        """Starts the agent; raises `BoardError` where it does not come up."""
        self.since = time.monotonic()
        self.agent = self.life.enter_context(self.start(self.port))
        self.port = self.agent.address.port  # a board that comes back does so where it was

    def look_after(self) -> None:
        """Starts an agent that has ended again; raises `BoardError` where that is of no use."""
        if self.agent is not None:
            if (code := self.agent.process.poll()) is not None:
                was_short = time.monotonic() - self.since < SHORTEST_LIFE_S
                self._rest(f"it ended with {code}", was_short=was_short)
        elif time.monotonic() >= self.due:
            try:
                self.begin()
            except BoardError as error:
                self._rest(str(error), was_short=True)

    def _rest(self, reason: str, *, was_short: bool) -> None:
        """Waits the longer the more short lives it has had; raises where those are too many."""
        self.short_lives = self.short_lives + 1 if was_short else 0
        self.life.close()
        self.agent = None
        if self.short_lives >= SHORT_LIVES:
            raise BoardError(
                f"{self.name} on port {self.port} is given up behind {SHORT_LIVES} lives of less "
                f"than {SHORTEST_LIFE_S} s: {reason}; its own words are above"
            )
        pause_s = RESTART_PAUSE_S * 2 ** max(self.short_lives - 1, 0)
        self.due = time.monotonic() + pause_s
        print(
            f"{self.name} on port {self.port}: {reason}; starting it again in {pause_s} s",
            file=sys.stderr,
        )


def keep_up(boards: list[Board]) -> None:
    """Keeps `boards`, which have begun, running; raises `BoardError` when none of them is left."""
    left = list(boards)
    while True:
        time.sleep(LOOK_EVERY_S)
        for board in list(left):
            try:
                board.look_after()
            except BoardError as error:
                left.remove(board)
                if not left:
                    raise
                print(f"warning: {error}; {len(left)} go on", file=sys.stderr)
