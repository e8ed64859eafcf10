"""Temporary folders go with their program, or with the next one where it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from model.temporary import (
    YOUNG_S,
    FolderInUseError,
    locked_folder,
    own_temporary_files,
    temporary_folder,
)

PROGRAM = """
import sys, tempfile, time
from pathlib import Path
from model.cli import run_command
def main():
    Path(tempfile.mkdtemp(), "large").write_bytes(b"x")
    print("up", flush=True)
    {end}
run_command(main)
"""


def _program(folder: Path, end: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(end=end)],
        env=os.environ | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _make_older(folder: Path) -> None:
    then = time.time() - 2 * YOUNG_S
    os.utime(folder, (then, then))


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("pass", 0),
        ("from multiprocessing.util import get_temp_dir; get_temp_dir()", 0),
        ("sys.exit(3)", 3),
        ("raise ValueError('a fault of ours')", 1),
        ("raise KeyboardInterrupt", 130),
    ],
)
def test_nothing_is_left_however_a_program_ends(tmp_path: Path, end: str, code: int) -> None:
    program = _program(tmp_path, end)
    _, said = program.communicate(timeout=60)
    assert program.returncode == code
    assert "FileNotFoundError" not in said
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_program_left_goes_with_the_next_one(tmp_path: Path) -> None:
    program = _program(tmp_path, "time.sleep(100)")
    assert program.stdout.readline() == "up\n"
    program.send_signal(signal.SIGKILL)
    program.communicate(timeout=60)
    (left,) = tmp_path.iterdir()
    _make_older(left)
    next_one = _program(tmp_path, "pass")
    next_one.communicate(timeout=60)
    assert list(tmp_path.iterdir()) == []


def test_what_another_program_is_using_stays(tmp_path: Path) -> None:
    with temporary_folder(".making-", tmp_path) as first:
        _make_older(first)
        with temporary_folder(".making-", tmp_path) as second:
            assert first.is_dir()
        assert not second.exists()
    assert not first.exists()


def test_files_and_links_of_that_name_stay(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    (tmp_path / ".making-link").symlink_to(elsewhere)
    (tmp_path / ".making-file").touch()
    then = time.time() - 2 * YOUNG_S
    os.utime(tmp_path / ".making-link", (then, then), follow_symlinks=False)
    os.utime(tmp_path / ".making-file", (then, then))
    with temporary_folder(".making-", tmp_path):
        pass
    assert (elsewhere / "file").exists()
    assert (tmp_path / ".making-file").exists()


def test_the_folder_for_temporary_files_is_as_before_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("TMPDIR", raising=False)
    with own_temporary_files():
        assert Path(tempfile.gettempdir()).parent == tmp_path
        assert os.environ["TMPDIR"] == tempfile.gettempdir()
    assert tempfile.gettempdir() == str(tmp_path)
    assert "TMPDIR" not in os.environ


def test_a_folder_is_one_program_s_at_a_time(tmp_path: Path) -> None:
    order = []

    def wait() -> None:
        with locked_folder(tmp_path):
            order.append("second")

    with locked_folder(tmp_path):
        other = threading.Thread(target=wait)
        other.start()
        other.join(timeout=0.2)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def test_a_folder_that_is_not_let_go_is_an_error_after_a_while(tmp_path: Path) -> None:
    with (
        locked_folder(tmp_path),
        pytest.raises(FolderInUseError, match="names it: wait for it or end it"),
        locked_folder(tmp_path, limit_s=0.1),
    ):
        pass
