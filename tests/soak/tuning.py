"""A search on two boards at a tracker, while sessions and agents are killed or stopped at random.

All programs keep their temporary files in one folder, so that what they leave can be counted.
"""

from __future__ import annotations

import random
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from model.cli import write_json
from tests.soak.farm import END_LIMIT_S, Farm, start_farm, start_program
from tests.soak.judgement import LOGS, Fault, judge, lines_in, temporary_files
from tests.soak.usage import SoakError, usage_of

BOARDS = 2
RECOVERY_LIMIT_S = 600  # on a machine that has much else to do
KINDS = ("session killed", "session stopped", "agent killed")


def soak_tuning(minutes: int, seed: int, timeout_s: int, pause_s: int, json: Path | None) -> None:
    """Faults for so long, about `pause_s` apart; then the log is replayed. Raises `SoakError`."""
    folder = Path(tempfile.mkdtemp(prefix="s-"))
    faults, said = [], []
    with ExitStack() as running:
        soak = _begun(running, folder, timeout_s)
        threading.Thread(target=_listen, args=(soak.tuner, said), daemon=True).start()
        for fault in soak.faults(random.Random(seed), minutes, pause_s):
            faults.append(fault)
            print(fault, flush=True)
        if soak.tuner.poll() is not None:
            raise SoakError(f"the search ended by itself: {''.join(said[-5:])}")
        soak.tuner.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            soak.tuner.wait(timeout=END_LIMIT_S)
    judgement = judge(faults, said, folder)
    if json:
        write_json(json, judgement.report)
    print(judgement)
    judgement.check()


@dataclass(frozen=True)
class Soak:
    """What runs: the farm, and the search on it."""

    farm: Farm
    tuner: subprocess.Popen[str]
    folder: Path

    def faults(self, draw: random.Random, minutes: int, pause_s: int) -> Iterator[Fault]:
        """Kills and stops for so long; each fault once all boards are at work again."""
        begin = time.monotonic()
        while time.monotonic() - begin < 60 * minutes and self.tuner.poll() is None:
            time.sleep(draw.uniform(0.5, 1.5) * pause_s)
            sessions = self.farm.sessions()
            what = draw.choice(KINDS)
            victims = self.farm.old_agents() if what == "agent killed" else sessions
            if len(sessions) < BOARDS or not victims or not lines_in(self.folder):
                continue
            victim = draw.choice(victims)
            with suppress(psutil.NoSuchProcess):
                (victim.suspend if what == "session stopped" else victim.kill)()
                recovery_s = self._until_at_work(victim)
                yield Fault(
                    what,
                    time.monotonic() - begin,
                    recovery_s,
                    lines_in(self.folder),
                    usage_of(self.tuner.pid),
                    sum(usage_of(board.pid).memory for board in self.farm.boards),
                    len(temporary_files(self.folder)),
                )

    def _until_at_work(self, victim: psutil.Process) -> float:
        """Seconds until every board has a session, and none is `victim`."""
        begin = time.monotonic()
        while time.monotonic() - begin < RECOVERY_LIMIT_S and self.tuner.poll() is None:
            sessions = self.farm.sessions()
            if len(sessions) == BOARDS and victim not in sessions:
                return time.monotonic() - begin
            time.sleep(0.1)
        raise SoakError(f"no board came back within {RECOVERY_LIMIT_S} s, or the search ended")


def _begun(running: ExitStack, folder: Path, timeout_s: int) -> Soak:
    """Boards, and a search on them, ended with `running`."""
    farm = start_farm(running, folder, BOARDS)
    tuner = start_program(
        running, folder, "compile.tune", "--target", "host", "--board", farm.board,
        "--boards", str(BOARDS), "--model", "shufflenet-0.25x-g3", "--trials", "1000000",
        "--judge", "0", "--timeout", str(timeout_s), "--drift", "1000000", "--workers", "1",
        "--tuning-logs", str(folder / LOGS),
    )  # fmt: skip
    return Soak(farm, tuner, folder)


def _listen(process: subprocess.Popen[str], said: list[str]) -> None:
    for line in process.stdout:
        said.append(line)
        if "failure" in line or "interrupted" in line:
            print(line, end="", flush=True)
