"""A search, stopped by one fault after another and taken up again.

Its log lies on a disk of its own, so that it can be full. What was in it when a search ended has to
be there for ever after, and as many new records as the searches meanwhile said they had trials.
Where it may soon have found all that it looks for, another search with another log takes its place.
"""

from __future__ import annotations

import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from compile.tuning.verify import verify_logs
from model.cli import EXIT_FAILURE, EXIT_INTERRUPTED
from tests.soak.farm import END_LIMIT_S, restart_tracker, start_farm
from tests.soak.judgement import lines_in, lost_lines, processes_of, temporary_files, trials_said
from tests.soak.search import LOGS, Search, begin_search
from tests.soak.usage import SoakError

BOARDS = 2  # one for each writer
DISK_BYTES = 4 << 20
TIMEOUT_S = 15
MORE = 3  # records, until a search is taken to be at work again
MOST_RECORDS = 150  # before a fault, which may add 100; a search ends by itself behind some 320
RECOVERY_LIMIT_S = 600
TORN_BYTES = 100  # of a record's line


def soak_interruptions(times: int) -> None:
    """Every fault so many times; prints a line a fault, and raises `SoakError`."""
    folder = Path(tempfile.mkdtemp(prefix="s-"))
    (folder / LOGS).mkdir()
    with ExitStack() as running:
        _mount(running, folder / LOGS)
        search = InterruptedSearch(running, folder)
        for name, inject in search.faults().items():
            seconds = []
            for _ in range(times):
                search.make_room()
                seconds.append(inject())
            print(
                f"{name}: {times} times; new records after {statistics.median(seconds):.1f} s, at "
                f"most {max(seconds):.1f} s; {search.lost} records lost so far",
                flush=True,
            )
        search.end()
        records = lines_in(folder / LOGS)
        print(f"replaying {records} records of {len(search.logs)} searches", flush=True)
        wrong = [fault.reason for fault in verify_logs(search.logs, 1, lambda *_: None)]
    left = [*processes_of(folder), *temporary_files(folder)]
    print(f"{records} records, {search.lost} lost, {len(wrong)} wrong; left: {left or 'nothing'}")
    if search.lost or wrong or left:
        raise SoakError("expected nothing lost, wrong or left")


def _mount(running: ExitStack, folder: Path) -> None:
    """A small disk in memory."""
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "soak", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SoakError(
            f"cannot mount a small disk: {done.stderr.strip()}; run this as root, or behind "
            "`unshare --user --map-root-user --mount`"
        )
    running.callback(subprocess.run, ["umount", str(folder)], check=True)


class InterruptedSearch:
    """The search, on boards behind a tracker; `lost` counts records, the last of `logs` is its."""

    def __init__(self, running: ExitStack, folder: Path) -> None:
        self.lost, self.logs = 0, []
        self._running, self._folder = running, folder
        self._farm = start_farm(running, folder, BOARDS)
        self._begin_log()

    def faults(self) -> Mapping[str, Callable[[], float]]:
        """By their names what injects them, and returns the seconds until records came again."""
        return {
            "tracker killed and started again, then the session killed": self._kill_tracker,
            "tuner killed, and resumed": self._kill_tuner,
            "Ctrl-C, and resumed": self._interrupt,
            "the log's disk full, and resumed": self._fill_disk,
            "a last line torn, and resumed": self._tear_line,
            "another tuner on the same log": self._second_writer,
        }

    def make_room(self) -> None:
        """Another search with another log, where the one that goes on may soon have found all."""
        if self._lines() > MOST_RECORDS:
            self.end()
            self._begin_log()

    def end(self) -> None:
        """Ctrl-C."""
        self._search.interrupt()
        self._expect(EXIT_INTERRUPTED, "interrupted")

    def _kill_tracker(self) -> float:
        """And then the session, so that another one has to come by the new tracker."""
        restart_tracker(self._running, self._folder, self._farm)
        for session in self._farm.sessions():
            session.kill()
        return self._until_more(self._lines())

    def _kill_tuner(self) -> float:
        self._search.process.kill()
        self._expect(-signal.SIGKILL, "")
        return self._resumed()

    def _interrupt(self) -> float:
        self.end()
        return self._resumed()

    def _fill_disk(self) -> float:
        ballast = self._folder / LOGS / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:  # full
                pass
        self._expect(EXIT_FAILURE, "No space left on device")
        ballast.unlink()
        return self._resumed()

    def _tear_line(self) -> float:
        self._search.process.kill()
        self._expect(-signal.SIGKILL, "")
        torn = self._sound.splitlines()[-1][:TORN_BYTES]
        with self.logs[-1].open("ab") as file:
            file.write(torn)
        seconds = self._resumed()
        if not Path(f"{self.logs[-1]}.torn").read_bytes().endswith(torn + b"\n"):
            raise SoakError("the torn line was not set aside")
        return seconds

    def _second_writer(self) -> float:
        """Both have had trials when it ends."""
        first, begin = self._search, time.monotonic()
        before = trials_said(first.said)
        second = self._begin()
        while min(trials_said(first.said) - before, trials_said(second.said)) < MORE:
            self._wait(begin)
        seconds = time.monotonic() - begin
        second.interrupt()
        first.interrupt()
        self._search = first
        self._expect(EXIT_INTERRUPTED, "interrupted")
        if second.process.returncode != EXIT_INTERRUPTED:
            raise SoakError(f"the other tuner ended ill: {second.said[-5:]}")
        self._resumed()
        return seconds

    def _begin_log(self) -> None:
        self._searches: list[Search] = []  # since one ended
        self._sound = b""  # what the log held when the last search ended
        self._number = len(self.logs) + 1
        self._begin()
        self._until_more(0)
        self.logs += self._search.logs.rglob("*.jsonl")

    def _begin(self) -> Search:
        self._search = begin_search(
            self._running, self._folder, self._number, self._farm, TIMEOUT_S, "--resume",
            "--boards", "1",
        )  # fmt: skip
        self._searches.append(self._search)
        return self._search

    def _resumed(self) -> float:
        self._searches.clear()
        self._begin()
        return self._until_more(self._lines())

    def _until_more(self, lines: int) -> float:
        begin = time.monotonic()
        while self._lines() < lines + MORE:
            self._wait(begin)
        return time.monotonic() - begin

    def _wait(self, begin: float) -> None:
        if self._search.has_ended or time.monotonic() - begin > RECOVERY_LIMIT_S:
            raise SoakError(f"no new record came; the search said {self._search.said[-5:]}")
        time.sleep(0.1)

    def _expect(self, code: int, said: str) -> None:
        """That the search ends so; then counts what was lost since the one before ended."""
        self._search.process.wait(timeout=END_LIMIT_S)
        self._search.listener.join(END_LIMIT_S)
        ended, words = self._search.process.returncode, self._search.said
        if ended != code or said not in "".join(words):
            raise SoakError(f"expected exit code {code}, {said!r}; got {ended}, {words[-5:]}")
        now = self.logs[-1].read_bytes()
        trials = sum(trials_said(each.said) for each in self._searches)
        self.lost += lost_lines(self._sound, now, trials)
        self._sound = now

    def _lines(self) -> int:
        return lines_in(self._search.logs)
