"""The log of an autotuner: a file of records, one a line, that neither crash nor writers spoil.

Every change is made under an exclusive lock of `<file>.lock`, which stays, and on the file opened
anew under that lock, so that a rename in between loses nothing. A last line that a crash tore is
moved to `<file>.torn` before anything is written behind it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import itertools
import json
import mmap
import os
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from compile.tuning.record import Record, RecordError, parse_record, record_line
from model.cli import write_atomically
from model.errors import InputError

NEWLINE = b"\n"
LOCK_WAIT_S = 30.0
LOCK_POLL_S = 0.005

Warn = Callable[[str], None]


class LogError(InputError):
    """A log that cannot be read, or records that could not be saved."""


@dataclass(frozen=True)
class Problem:
    """A line, counted from 1, that holds no record, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class LogContents:
    """The records of a log in the order of its lines, and the lines that hold none.

    `sha256` is of the whole file as it was read.
    """

    records: list[Record]
    problems: list[Problem]
    sha256: str


class TuningLog:
    """One file of records, `tuning_logs/<target>/<name>.jsonl`, shared by any number of processes.

    `warn` is told of a torn last line that was set aside.
    """

    def __init__(self, path: Path, warn: Warn = warnings.warn) -> None:
        self.path = path
        self.warn = warn

    def append(self, records: Iterable[Record]) -> None:
        """Saves `records` behind the others, on the disk when this returns: all, or none.

        Raises `LogError` when the disk is full, say; the file is then as long as before.
        """
        lines = _lines(records)
        with _explained(f"save {lines.count(NEWLINE)} records in", self.path), _writing(self.path):
            _set_torn_aside(self.path, self.warn)
            _append_bytes(self.path, lines)

    def read(self, skip_bad: bool = False) -> LogContents:
        """All records; a torn last line is a problem, any other bad line a `LogError`.

        With `skip_bad` these too are problems. A newer record is a bad line.
        """
        with _explained("read", self.path), _reading(self.path):
            text = self.path.read_bytes()
        return _contents(self.path, text, skip_bad)


def merge_logs(sources: Iterable[Path], destination: Path, warn: Warn = warnings.warn) -> int:
    """Writes the records of `sources` and `destination` to `destination`; returns how many.

    Exact duplicates become one; the order is by (key, date). Others may append meanwhile: the
    sources count as they were read, and the destination is locked until it is replaced.
    """
    records = list(itertools.chain(*(TuningLog(source).read().records for source in sources)))
    with _explained("merge logs into", destination), _writing(destination):
        records += _sound_records(destination, warn)
        unique = {record_line(record): record for record in records}
        in_order = sorted(unique, key=lambda line: (unique[line].key, unique[line].date, line))
        _replace(destination, [unique[line] for line in in_order])
    return len(in_order)


def prune_log(
    path: Path,
    keep: int,
    keeps: Callable[[Record], bool],
    is_usable: Callable[[Record], bool],
    warn: Warn = warnings.warn,
) -> int:
    """Leaves the `keep` best "ok" records of each competition in `path`, and the best of `keeps`.

    Best is by `Record.rank`, of those that are of use, or of all where none is: another version may
    know what to do with them. Of what two logs brought twice, one is left. The order of lines
    stays. Returns how many records were dropped; raises `LogError` where there is no log.
    """
    if not path.is_file():
        raise LogError(f"expected a tuning log at {path}, found none")
    with _explained("prune", path), _writing(path):
        records = _sound_records(path, warn)
        groups: dict[tuple[str, ...], list[Record]] = defaultdict(list)
        for record in records:
            if record.outcome == "ok":
                groups[record.competition].append(record)
        kept: set[int] = set()
        for group in groups.values():
            ranked = sorted(group, key=lambda record: record.rank)
            best = list(itertools.islice(filter(is_usable, ranked), keep)) or ranked[:keep]
            kept.update(map(id, [*best, *itertools.islice(filter(keeps, ranked), 1)]))
        left = [record for record in records if id(record) in kept]
        _replace(path, left)
    return len(records) - len(left)


def _lines(records: Iterable[Record]) -> bytes:
    return "".join(record_line(record) + "\n" for record in records).encode("ascii")


def _contents(path: Path, text: bytes, skip_bad: bool) -> LogContents:
    sound = text[: _sound_length(text)]
    contents = LogContents([], [], hashlib.sha256(text).hexdigest())
    for number, line in enumerate(sound.splitlines(), start=1):
        try:
            contents.records.append(parse_record(line))
        except RecordError as error:
            if not skip_bad:
                raise LogError(
                    f"{path}, line {number}: {error}; correct the line or delete it"
                ) from error
            contents.problems.append(Problem(number, str(error)))
    if len(sound) < len(text):
        torn = f"a torn last line of {len(text) - len(sound)} bytes, left by a crash"
        contents.problems.append(Problem(sound.count(b"\n") + 1, torn))
    return contents


def _sound_length(text: bytes | mmap.mmap) -> int:
    """The length of `text` without a torn last line: one without newline, or that is no JSON."""
    size = len(text)
    start = text.rfind(b"\n", 0, max(size - 1, 0)) + 1
    is_sound = size == 0 or (text[-1:] == b"\n" and _is_json(text[start:]))
    return size if is_sound else start


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return True


def _sound_records(path: Path, warn: Warn) -> list[Record]:
    """The records of `path`, under its lock, after a torn last line was set aside."""
    _set_torn_aside(path, warn)
    return _contents(path, path.read_bytes(), skip_bad=False).records if path.exists() else []


def _set_torn_aside(path: Path, warn: Warn) -> None:
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("r+b") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            sound = _sound_length(text)
            torn = text[sound:]
        if torn:
            aside = _beside(path, ".torn")
            _append_bytes(aside, torn.removesuffix(b"\n") + b"\n")
            file.truncate(sound)
            warn(f"{path}: moved a torn last line of {len(torn)} bytes to {aside}")


def _append_bytes(path: Path, content: bytes) -> None:
    """Writes `content` behind what `path` holds and on the disk, or leaves it as it was."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        former = os.fstat(descriptor).st_size
        if former == 0:
            _sync_folder(path.parent)
        try:
            _write_whole(descriptor, content)
            os.fsync(descriptor)
        except BaseException:
            os.ftruncate(descriptor, former)
            raise
    finally:
        os.close(descriptor)


def _write_whole(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _replace(path: Path, records: list[Record]) -> None:
    write_atomically(path, lambda temporary: _append_bytes(temporary, _lines(records)))
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Puts the names in `folder` on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _explained(what: str, path: Path) -> Iterator[None]:
    """Makes an error of the operating system a `LogError` that says what failed."""
    try:
        yield
    except OSError as error:
        raise LogError(
            f"cannot {what} {path}: {error.strerror}; the file is as before: see to room and "
            f"permissions in {path.parent}, then try again"
        ) from error


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Holds the exclusive lock of `path`, whose folder is made if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(_beside(path, ".lock"), os.O_RDONLY | os.O_CREAT, 0o644)
    with _locked(path, descriptor, fcntl.LOCK_EX):
        yield


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Holds the shared lock of `path`; a log without a lock file, as published, has no writer."""
    try:
        descriptor = os.open(_beside(path, ".lock"), os.O_RDONLY)
    except FileNotFoundError:
        yield
        return
    with _locked(path, descriptor, fcntl.LOCK_SH):
        yield


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
                f"`fuser {_beside(path, '.lock')}` names it: wait for it or end it"
            )
        time.sleep(LOCK_POLL_S)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
