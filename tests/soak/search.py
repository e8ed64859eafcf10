"""One search of a soak: a process of `tune.py` with a log folder of its own, and what it says."""

from __future__ import annotations

import signal
import subprocess
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.soak.farm import END_LIMIT_S, Farm, start_program

LOGS = "logs"  # in the folder of a soak, with one folder a search
MODEL = "shufflenet-0.25x-g3"
MANY = str(10**6)  # trials, and percent of drift: neither ends or holds up a search


@dataclass
class Search:
    """A search that writes to `logs`; `said` are its lines so far."""

    process: subprocess.Popen[str]
    logs: Path
    said: list[str]
    listener: threading.Thread | None = None  # to what it says
    was_interrupted: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether it is over, well or not."""
        return self.process.poll() is not None

    @property
    def has_failed(self) -> bool:
        """Whether it ended by itself and not well."""
        return not self.was_interrupted and self.process.poll() not in (None, 0)

    def interrupt(self) -> None:
        """Ctrl-C, and a while for it to end."""
        if self.has_ended:
            return
        self.was_interrupted = True
        self.process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=END_LIMIT_S)


def begin_search(
    running: ExitStack, folder: Path, number: int, farm: Farm, timeout_s: int, *more: str
) -> Search:
    """Search `number` of a soak in `folder` on all boards of `farm`, ended with `running`.

    `more` are further words of its command line.
    """
    logs = folder / LOGS / f"{number:02}"
    process = start_program(
        running, folder, "compile.tune", "--target", "host", "--board", farm.board,
        "--boards", str(len(farm.boards)), "--model", MODEL, "--trials", MANY, "--judge", "0",
        "--timeout", str(timeout_s), "--drift", MANY, "--workers", "1", "--tuning-logs", str(logs),
        *more, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return begun(process, logs)


def begun(process: subprocess.Popen[str], logs: Path) -> Search:
    """That of a `process` which writes to `logs`, and is listened to."""
    said: list[str] = []
    listener = threading.Thread(target=_listen, args=(process, said), daemon=True)
    listener.start()
    return Search(process, logs, said, listener)


def _listen(process: subprocess.Popen[str], said: list[str]) -> None:
    for line in process.stdout:
        said.append(line)
        if "failure" in line or "interrupted" in line or "set aside" in line:
            print(line, end="", flush=True)
