"""The log of an autotuner: records, one a line, appended whole and read with what is bad."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from compile.tuning.log_file import LogError, append_bytes, explained, reading, writing
from compile.tuning.record import Record, RecordError, parse_record, record_line
from compile.tuning.torn_line import Warn, set_torn_aside, sound_length

NEWLINE = b"\n"


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
        lines = lines_of(records)
        with explained(f"save {lines.count(NEWLINE)} records in", self.path), writing(self.path):
            set_torn_aside(self.path, self.warn)
            append_bytes(self.path, lines)

    def read(self, skip_bad: bool = False) -> LogContents:
        """All records; a torn last line is a problem, any other bad line a `LogError`.

        With `skip_bad` these too are problems. A newer record is a bad line.
        """
        with explained("read", self.path), reading(self.path):
            text = self.path.read_bytes()
        return contents_of(self.path, text, skip_bad)


def lines_of(records: Iterable[Record]) -> bytes:
    """`records` as a log holds them."""
    return "".join(record_line(record) + "\n" for record in records).encode("ascii")


def contents_of(path: Path, text: bytes, skip_bad: bool) -> LogContents:
    """What `text`, of the log at `path`, holds; raises `LogError` as `TuningLog.read` does."""
    sound = text[: sound_length(text)]
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
