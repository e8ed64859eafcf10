"""Temporary folders that do not pile up: a program that was killed leaves its own to the next one.

Each is locked for as long as its program lives, so that what is not locked is nobody's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.util import Finalize
from pathlib import Path

from model.errors import InputError

OF_MULTIPROCESSING, AFTER_MULTIPROCESSING = "pymp-*", -200  # its own folder has priority -100
PREFIX = "shufflenet-run-"
YOUNG_S = 60  # a folder may be so old and not locked yet
LOCK_LIMIT_S, LOCK_POLL_S = 30, 0.01


class FolderInUseError(InputError):
    """A folder that another program does not let go."""


@contextlib.contextmanager
def temporary_folder(prefix: str, parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, gone with the block; so are those of `prefix` that were left."""
    folder, lock = _new_folder(prefix, parent)
    try:
        yield folder
    finally:
        _remove(folder, lock)


@contextlib.contextmanager
def own_temporary_files() -> Iterator[None]:
    """Whatever this program and its children make in the folder for temporary files, is in one."""
    before, inherited = tempfile.tempdir, os.environ.get("TMPDIR")
    folder, lock = _new_folder(PREFIX, Path(tempfile.gettempdir()))
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        if inherited is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = inherited
        if any(folder.glob(OF_MULTIPROCESSING)):  # it removes its own at the very end, or complains
            Finalize(None, _remove, args=(folder, lock), exitpriority=AFTER_MULTIPROCESSING)
        else:
            _remove(folder, lock)


@contextlib.contextmanager
def locked_folder(folder: Path, limit_s: float = LOCK_LIMIT_S) -> Iterator[None]:
    """Holds the lock of `folder`; raises `FolderInUseError` where another program keeps it."""
    deadline = time.monotonic() + limit_s
    while (descriptor := _locked(folder)) is None:
        if time.monotonic() > deadline:
            raise FolderInUseError(
                f"another program has held the folder {folder} for {limit_s:g} s; `fuser {folder}` "
                "names it: wait for it or end it, or name another folder"
            )
        time.sleep(LOCK_POLL_S)
    try:
        yield
    finally:
        os.close(descriptor)


def _new_folder(prefix: str, parent: Path) -> tuple[Path, int | None]:
    _remove_leftovers(prefix, parent)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    return folder, _locked(folder)


def _remove(folder: Path, lock: int | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        os.close(lock)


def _remove_leftovers(prefix: str, parent: Path) -> None:
    for folder in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if status.st_uid != os.geteuid() or time.time() - status.st_mtime < YOUNG_S:
                continue
            lock = _locked(folder)
            if lock is not None:
                _remove(folder, lock)


def _locked(folder: Path) -> int | None:
    """The descriptor that holds the lock of `folder`; None where another program has it."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(folder, flags)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
