"""Searches on two boards at a tracker, while sessions and agents are killed or stopped at random.

A search that has found all that it looks for is followed by another, with a log of its own. All
programs keep their temporary files in one folder, so that what they leave can be counted.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from compile.tuning.verify import logs_in, verify_logs
from model.cli import write_json
from tests.soak.farm import start_farm
from tests.soak.judgement import Fault, judge, lines_in, temporary_files
from tests.soak.search import LOGS, Search, begin_search
from tests.soak.usage import SoakError, usage_of

BOARDS = 2
RECOVERY_LIMIT_S = 600  # on a machine that has much else to do
KINDS = ("session killed", "session stopped", "agent killed")


def soak_tuning(minutes: int, seed: int, timeout_s: int, pause_s: int, json: Path | None) -> None:
    """Faults for so long, about `pause_s` apart; then the logs are replayed. Raises `SoakError`."""
    folder = Path(tempfile.mkdtemp(prefix="s-"))
    faults = []
    with ExitStack() as running:
        soak = Soak(running, folder, timeout_s)
        for fault in soak.faults(random.Random(seed), minutes, pause_s):
            faults.append(fault)
            print(fault, flush=True)
        soak.searches[-1].interrupt()
    print(f"replaying the records of {len(soak.searches)} searches", flush=True)
    wrong = verify_logs(logs_in(folder / LOGS), len(os.sched_getaffinity(0)), lambda *_: None)
    judgement = judge(faults, soak.searches, [fault.reason for fault in wrong], folder)
    if json:
        write_json(json, judgement.report)
    print(judgement)
    judgement.check()


class Soak:
    """A farm, and one search after another on it, all ended with `running`."""

    def __init__(self, running: ExitStack, folder: Path, timeout_s: int) -> None:
        self.searches: list[Search] = []
        self._running, self._folder, self._timeout_s = running, folder, timeout_s
        self._farm = start_farm(running, folder, BOARDS)

    def faults(self, draw: random.Random, minutes: int, pause_s: int) -> Iterator[Fault]:
        """Kills and stops for so long; each fault once all boards are at work again."""
        begin = time.monotonic()
        while time.monotonic() - begin < 60 * minutes:
            search = self._search()
            time.sleep(draw.uniform(0.5, 1.5) * pause_s)
            what = draw.choice(KINDS)
            sessions = self._farm.sessions()
            victims = self._farm.old_agents() if what == "agent killed" else sessions
            if len(sessions) < BOARDS or not victims or not lines_in(search.logs):
                continue
            victim = draw.choice(victims)
            with suppress(psutil.NoSuchProcess):
                (victim.suspend if what == "session stopped" else victim.kill)()
                recovery_s = self._until_at_work(search, victim)
                yield self._seen(what, time.monotonic() - begin, recovery_s)

    def _search(self) -> Search:
        """The one that goes on: another one where the last has ended."""
        if not self.searches or self.searches[-1].has_ended:
            number = len(self.searches) + 1
            print(f"search {number} begins", flush=True)
            self.searches.append(
                begin_search(self._running, self._folder, number, self._farm, self._timeout_s)
            )
        return self.searches[-1]

    def _until_at_work(self, search: Search, victim: psutil.Process) -> float:
        """Seconds until every board has a session, and none is `victim`, or the search has ended.

        What is seen of it then raises `psutil.NoSuchProcess`: such a fault does not count.
        """
        begin = time.monotonic()
        while time.monotonic() - begin < RECOVERY_LIMIT_S:
            sessions = self._farm.sessions()
            if search.has_ended or (len(sessions) == BOARDS and victim not in sessions):
                return time.monotonic() - begin
            time.sleep(0.1)
        raise SoakError(f"no board came back within {RECOVERY_LIMIT_S} s")

    def _seen(self, what: str, at_s: float, recovery_s: float) -> Fault:
        return Fault(
            what,
            at_s,
            recovery_s,
            len(self.searches),
            lines_in(self.searches[-1].logs),
            usage_of([self.searches[-1].process.pid]),
            usage_of(self._farm.pids()),
            len(temporary_files(self._folder)),
        )
