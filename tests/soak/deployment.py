"""A library run on a board again and again, each time after another fault."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deploy_rpc.board_spec import BoardError
from deploy_rpc.host import machine_isa
from deploy_rpc.session import Session, open_session
from tests.soak.farm import Farm, restart_tracker, start_farm
from tests.soak.usage import SoakError
from tests.tiny_library import SHAPE, tiny_plain_library, tiny_reference

TIMEOUT_S = 20  # of a session, but for the one on a board that was stopped
SILENT_S = 2
RECOVERY_LIMIT_S = 300
CLIENT = """
import sys, time
from deploy_rpc.session import open_session
with open_session(sys.argv[1]):
    print("up", flush=True)
    time.sleep(1000)
"""
X = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)


def soak_deployment(times: int) -> None:
    """Every fault so many times; prints a line a fault, and raises `SoakError`."""
    folder = Path(tempfile.mkdtemp(prefix="s-"))
    library = tiny_plain_library(folder, machine_isa())
    with ExitStack() as running:
        deployment = Deployment(running, folder, start_farm(running, folder, 1), library)
        deployment.recovered()
        for name, inject in deployment.faults().items():
            seconds = []
            for _ in range(times):
                inject()
                seconds.append(deployment.recovered())
            print(
                f"{name}: {times} times; a right answer after {statistics.median(seconds):.1f} s, "
                f"at most {max(seconds):.1f} s; {deployment.wrong} wrong answers so far",
                flush=True,
            )
    if deployment.wrong:
        raise SoakError(f"expected right answers, got {deployment.wrong} wrong ones")


@dataclass
class Deployment:
    """A board behind a tracker, and what is asked of it; `wrong` counts wrong answers."""

    running: ExitStack
    folder: Path
    farm: Farm
    library: Path
    wrong: int = 0

    def faults(self) -> Mapping[str, Callable[[], None]]:
        """By their names what injects them."""
        return {
            "session killed": lambda: self._while_open(TIMEOUT_S, signal.SIGKILL),
            "session stopped": lambda: self._while_open(SILENT_S, signal.SIGSTOP),
            "agent killed": self._kill_agent,
            "client killed": self._kill_client,
            "tracker killed": lambda: restart_tracker(self.running, self.folder, self.farm),
        }

    def recovered(self) -> float:
        """Seconds until the board has answered."""
        begin = time.monotonic()
        while time.monotonic() - begin < RECOVERY_LIMIT_S:
            try:
                with open_session(self.farm.board, timeout_s=TIMEOUT_S) as session:
                    self.wrong += not np.array_equal(self._answer(session), tiny_reference(X))
                    return time.monotonic() - begin
            except BoardError:
                time.sleep(0.1)
        raise SoakError(f"no answer within {RECOVERY_LIMIT_S} s")

    def _answer(self, session: Session) -> np.ndarray:
        return session.load(self.library, output_shapes=[SHAPE]).run(X)

    def _while_open(self, timeout_s: float, number: signal.Signals) -> None:
        """What is open fails, and says so."""
        with open_session(self.farm.board, timeout_s=TIMEOUT_S) as session:
            session.timeout_s = timeout_s
            for each in self.farm.sessions():
                each.send_signal(number)
            try:
                self._answer(session)
            except BoardError:
                return
        raise SoakError(f"a session answered after {number.name}")

    def _kill_agent(self) -> None:
        while not (agents := self.farm.old_agents()):
            time.sleep(1)
        for agent in agents:
            agent.kill()

    def _kill_client(self) -> None:
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, self.farm.board], stdout=subprocess.PIPE, text=True
        )
        if client.stdout.readline() != "up\n":
            raise SoakError("a client could not connect")
        client.kill()
        client.communicate()
