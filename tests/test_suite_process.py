"""A suite ends well, badly or not at all: its log says which, and nothing of it goes on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import suite_process
from bench.suite_process import SuiteError, run_suite
from tests.agents import becomes_true

# Starts a program of its own, names it, and hangs.
HANGS = """import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("started", child.pid, flush=True)
time.sleep(60)
"""


def python(text: str) -> list[str]:
    return [sys.executable, "-u", "-c", text]


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_the_log_says_what_was_printed_and_how_it_ended(tmp_path: Path) -> None:
    run_suite(python("print('here')"), tmp_path / "log", limit_s=60)
    printed, ended = (tmp_path / "log").read_text().splitlines()
    assert printed == "here"
    assert ended.startswith("exit code 0, after ")


def test_a_line_that_was_not_ended_is_not_mixed_with_how_it_ended(tmp_path: Path) -> None:
    run_suite(python("print('here', end='')"), tmp_path / "log", limit_s=60)
    assert (tmp_path / "log").read_text().startswith("here\nexit code 0")


def test_a_failure_is_told_with_its_code_and_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"^exit code 3: last; see .*log$"):
        run_suite(python("print('first\\nlast'); exit(3)"), tmp_path / "log", limit_s=60)


def test_a_failure_without_words_is_told_with_its_code(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"^exit code -9; see "):
        run_suite(python("import os; os.kill(os.getpid(), 9)"), tmp_path / "log", limit_s=60)


def test_nothing_is_asked_of_whoever_started_it(tmp_path: Path) -> None:
    run_suite(python("import sys; print([sys.stdin.read()])"), tmp_path / "log", limit_s=60)
    assert (tmp_path / "log").read_text().startswith("['']\n")


def test_what_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"^no end within 4 s; see "):
        run_suite(python(HANGS), tmp_path / "log", limit_s=4)
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[-1].startswith("no end within 4 s, after ")
    child = int(lines[0].split()[1])
    assert becomes_true(lambda: not is_running(child))


def test_interrupted_it_ends_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(process: suite_process.subprocess.Popen, limit_s: float | None = None) -> int:
        monkeypatch.undo()
        while not (tmp_path / "log").read_text().endswith("\n"):
            assert process.poll() is None
        raise KeyboardInterrupt

    monkeypatch.setattr(suite_process.subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_suite(python(HANGS), tmp_path / "log", limit_s=60)
    child = int((tmp_path / "log").read_text().splitlines()[0].split()[1])
    assert becomes_true(lambda: not is_running(child))
