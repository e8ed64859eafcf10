"""A suite as a process of its own, which may hang: what it says goes to a log, and how it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from model.errors import InputError

GRACE_S = 10  # to end what it has started by itself


class SuiteError(InputError):
    """A suite that ended without a report."""


def run_suite(command: Sequence[str], log: Path, limit_s: float) -> None:
    """Runs `command`; `log` takes what it prints and, in its last line, how and when it ended.

    Whatever ends the wait also ends `command` and what it has started. Raises `SuiteError` unless
    it ends with exit code 0 within `limit_s`.
    """
    begun = time.monotonic()
    with log.open("w", encoding="utf-8") as file:
        code = _exit_code(command, file, limit_s)
    text = log.read_text(encoding="utf-8", errors="replace")
    how = f"no end within {limit_s:g} s" if code is None else f"exit code {code}"
    with log.open("a", encoding="utf-8") as file:
        torn = "\n" if text and not text.endswith("\n") else ""
        print(f"{torn}{how}, after {time.monotonic() - begun:.1f} s", file=file)
    if code != 0:
        said = [] if code is None else text.strip().splitlines()[-1:]  # then it was interrupted
        raise SuiteError(f"{': '.join([how, *said])}; see {log}")


def _exit_code(command: Sequence[str], file: TextIO, limit_s: float) -> int | None:
    """Of `command`, which prints into `file`; None where it had to be ended."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for us; then we end it, with all that it started
    ) as process:  # fmt: skip
        try:
            return process.wait(limit_s)
        except subprocess.TimeoutExpired:
            _interrupt(process)
            return None
        except BaseException:
            _interrupt(process)
            raise
        finally:
            _signal(process, signal.SIGKILL)


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Lets it end processes that are of a session of their own, linkers and boards."""
    _signal(process, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
