"""Replays the records of tuning logs: each has to be what a build takes, and has to answer right.

A kernel that several logs hold is replayed once. Workers do it, as they do when tuning.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from pathlib import Path

from compile.schedules.spaces import space_of
from compile.schedules.templates import Made
from compile.tuning.candidate import error_of, most_error
from compile.tuning.decisions import UnusableRecordError, default_of, tile_of
from compile.tuning.log import LogError, TuningLog
from compile.tuning.record import Record
from compile.tuning.workers import WorkerPool, result_of


@dataclass(frozen=True)
class Fault:
    """A record, counted from 1 among those of its log, that a build would not take, and why."""

    log: Path
    number: int
    reason: str


def logs_in(path: Path) -> list[Path]:
    """The log at `path`, or all logs in that folder; raises `LogError` where there is none."""
    logs = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
    if not logs or not logs[0].is_file():
        raise LogError(f"expected a tuning log, or a folder of them, at {path}; found none")
    return logs


def verify_logs(
    logs: Sequence[Path], workers: int, advance: Callable[[int, int], None]
) -> list[Fault]:
    """The faults of all records in `logs`; `advance` is told of kernels replayed, and of how many.

    Raises `LogError` where a log cannot be read, `WorkerError`.
    """
    places: dict[str, list[tuple[Path, int]]] = {}
    records: dict[str, Record] = {}
    for log in logs:
        for number, record in enumerate(TuningLog(log).read().records, start=1):
            same = _what_is_replayed(record)
            places.setdefault(same, []).append((log, number))
            records.setdefault(same, record)
    faults = []
    with contextlib.closing(WorkerPool(workers, __name__)) as pool:
        futures: dict[Future[str | None], str] = {
            pool.start(fault_of, record): same for same, record in records.items()
        }
        for done, future in enumerate(as_completed(futures), start=1):
            if reason := result_of(future):
                faults += [Fault(*place, reason) for place in places[futures[future]]]
            advance(done, len(futures))
    return sorted(faults, key=lambda fault: (fault.log, fault.number))


def fault_of(record: Record) -> str | None:
    """Why a build would not take `record`, or would be wrong with it; None where all is well."""
    try:
        default, core = default_of(record)
    except UnusableRecordError as error:
        return str(error)
    tile = tile_of(record)
    if tile is None:
        return "decisions of another version of its template; tune again"
    if record.outcome != "ok":
        return None
    if tile not in space_of(default.workload, core):
        return f"decisions that {core.name} has no room for: {record.decisions}"
    return _wrong_answer(dataclasses.replace(default, tile=tile), default)


def _wrong_answer(made: Made, default: Made) -> str | None:
    error = error_of(made, default)
    return None if error <= most_error(made) else f"wrong answer: {error:.1e} of the range away"


def _what_is_replayed(record: Record) -> str:
    """The same for records that one replay answers for."""
    return json.dumps(
        [record.key, record.core, record.template_version, record.decisions, record.outcome],
        sort_keys=True,
    )
