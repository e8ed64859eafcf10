"""The file of a tuning log, shared by processes: locked, and written whole or not at all.

Every change is made under an exclusive lock of `<file>.lock`, which stays, and on the file opened
anew under that lock, so that a rename in between loses nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from model.errors import InputError

LOCK_WAIT_S = 30.0
LOCK_POLL_S = 0.005


class LogError(InputError):
    """A log that cannot be read, or records that could not be saved."""


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Holds the exclusive lock of `path`, whose folder is made if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(beside(path, ".lock"), os.O_RDONLY | os.O_CREAT, 0o644)
    with _locked(path, descriptor, fcntl.LOCK_EX):
        yield


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Holds the shared lock of `path`; a log without a lock file, as published, has no writer."""
    try:
        descriptor = os.open(beside(path, ".lock"), os.O_RDONLY)
    except FileNotFoundError:
        yield
        return
    with _locked(path, descriptor, fcntl.LOCK_SH):
        yield


@contextlib.contextmanager
def explained(what: str, path: Path) -> Iterator[None]:
    """Makes an error of the operating system a `LogError` that says what failed."""
    try:
        yield
    except OSError as error:
        raise LogError(
            f"cannot {what} {path}: {error.strerror}; the file is as before: see to room and "
            f"permissions in {path.parent}, then try again"
        ) from error


def append_bytes(path: Path, content: bytes) -> None:
    """Writes `content` behind what `path` holds and on the disk, or leaves it as it was."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        former = os.fstat(descriptor).st_size
        if former == 0:
            sync_folder(path.parent)
        try:
            _write_whole(descriptor, content)
            os.fsync(descriptor)
        except BaseException:
            os.ftruncate(descriptor, former)
            raise
    finally:
        os.close(descriptor)


def beside(path: Path, suffix: str) -> Path:
    """The file that belongs to the log at `path`: its name with `suffix` behind it."""
    return path.with_name(path.name + suffix)


def sync_folder(folder: Path) -> None:
    """Puts the names in `folder` on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_whole(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


@contextlib.contextmanager
def _locked(path: Path, descriptor: int, mode: int) -> Iterator[None]:
    """Locks `descriptor` for the block, then unlocks it, for forked children too, and closes it."""
    try:
        _wait_for_lock(path, descriptor, mode)
        yield
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _wait_for_lock(path: Path, descriptor: int, mode: int) -> None:
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            return fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        if time.monotonic() >= deadline:
            raise LogError(
                f"{path} is still locked by another process after {LOCK_WAIT_S:.0f} s; "
                f"`fuser {beside(path, '.lock')}` names it: wait for it or end it"
            )
        time.sleep(LOCK_POLL_S)
