"""No crash and no second writer spoils the file of a log."""

from __future__ import annotations

import errno
import multiprocessing
import os
from pathlib import Path

import pytest

from compile.tuning.log import TuningLog
from compile.tuning.log_file import LogError
from tests.tuning_records import record

WRITERS, EACH = 4, 25


def test_a_full_disk_leaves_the_log_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = TuningLog(tmp_path / "a.jsonl")
    log.append([record(0)])
    before = log.path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(LogError, match="No space left"):
            log.append([record(1)])
    assert log.path.read_bytes() == before
    log.append([record(2)])
    assert log.read().records == [record(0), record(2)]


def _write(path: Path, writer: int) -> None:
    for count in range(EACH):
        TuningLog(path).append([record(writer, 1.0 + count)])


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    context = multiprocessing.get_context("forkserver")
    processes = [context.Process(target=_write, args=(path, index)) for index in range(WRITERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    contents = TuningLog(path).read()
    assert not contents.problems
    assert len(contents.records) == WRITERS * EACH
    for writer in range(WRITERS):
        of_one = [each.median for each in contents.records if each == record(writer, each.median)]
        assert of_one == [1.0 + count for count in range(EACH)]
