"""Agents that are kept running: which come back, and which are given up, without the others."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import Mock

import pytest

from deploy_rpc import kept_boards
from deploy_rpc.agent_process import Address, RunningAgent
from deploy_rpc.board_spec import BoardError
from deploy_rpc.kept_boards import SHORT_LIVES, Board, keep_up


class Clock:
    """A time that passes where somebody sleeps; from `end` on, Ctrl-C."""

    def __init__(self, end: float) -> None:
        self.now, self.end = 0.0, end

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now > self.end:
            raise KeyboardInterrupt


class Agents:
    """Starts agents of which each lives for the next of `lives_s`, the last one's for ever."""

    def __init__(self, clock: Clock, *lives_s: float) -> None:
        self.clock, self.lives_s, self.started = clock, [*lives_s, float("inf")], []

    @contextmanager
    def __call__(self, port: int) -> Iterator[RunningAgent]:
        end = self.clock.now + self.lives_s[min(len(self.started), len(self.lives_s) - 1)]
        self.started.append((self.clock.now, port))
        process = Mock()
        process.poll = lambda: None if self.clock.now < end else 1
        yield RunningAgent(Address("127.0.0.1", port or 4711), process)


def _kept(monkeypatch: pytest.MonkeyPatch, end: float, *lives: list[float]) -> list[Agents]:
    """The agents of boards with those lives, kept up until Ctrl-C at `end`."""
    clock = Clock(end)
    monkeypatch.setattr(kept_boards, "time", clock)
    agents = [Agents(clock, *each) for each in lives]
    boards = [Board(f"board {index}", 0, start) for index, start in enumerate(agents)]
    for board in boards:
        board.begin()
    with pytest.raises(KeyboardInterrupt):
        keep_up(boards)
    return agents


def test_an_agent_that_ends_comes_back_on_its_port(monkeypatch: pytest.MonkeyPatch) -> None:
    (agent,) = _kept(monkeypatch, 100, [50])
    assert [port for _, port in agent.started] == [0, 4711]
    assert 50 < agent.started[1][0] < 52


def test_the_pauses_before_short_lives_grow_and_the_board_is_given_up_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    short, long = _kept(monkeypatch, 1000, [1.0] * 20, [])
    assert len(long.started) == 1
    assert len(short.started) == SHORT_LIVES
    starts = [start for start, _ in short.started]
    pauses = [after - before - 1 for before, after in itertools.pairwise(starts)]
    assert pauses == pytest.approx([1, 2, 4, 8], abs=0.6)
    assert "warning: board 0 on port 4711 is given up" in capsys.readouterr().err


def test_a_long_life_makes_up_for_short_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    (agent,) = _kept(monkeypatch, 1000, [1, 1, 1, 1, 30, 1, 1, 1, 1])
    assert len(agent.started) == 10


def test_when_no_board_is_left_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BoardError, match=r"given up behind 5 lives .*: it ended with 1"):
        _kept(monkeypatch, 1000, [1.0] * 20)


def test_an_agent_that_does_not_come_up_again_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(100)
    monkeypatch.setattr(kept_boards, "time", clock)
    agents = Agents(clock, 50)
    refusals = iter([False, True, True, False])

    def start(port: int) -> object:
        if next(refusals):
            raise BoardError("its port is taken")
        return agents(port)

    board = Board("board", 0, start)
    board.begin()
    with pytest.raises(KeyboardInterrupt):
        keep_up([board])
    assert len(agents.started) == 2
