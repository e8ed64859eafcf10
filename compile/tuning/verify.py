"""Replays the records of tuning logs: each has to be what a build takes, and has to answer right.

A worker replays a kernel with all that the logs hold of it, so that a tile is compiled once, for
whatever cores and networks it was recorded. 432 tiles took 78 s of CPU time (EPYC, Zen 3, a busy
machine, 2026-11-25), six sevenths of it to compile them. What a tile is held against is the default
one of its kernel; the record of that is checked, but not run where there is no other. Kernels of
int8 are held against whole numbers, under QEMU where they are for another core.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compile.schedules.templates import Made
from compile.targets import TargetError
from compile.tuning.auto_record import SPACE, fault_of_auto
from compile.tuning.candidate import (
    answers_of,
    error_in_integers,
    largest_difference,
    most_error,
    with_tile,
)
from compile.tuning.decisions import (
    DECIDING_THREADS,
    UnusableRecordError,
    default_of,
    tile_of,
    tiles_for,
)
from compile.tuning.integers import of_integers
from compile.tuning.log import TuningLog
from compile.tuning.log_file import LogError
from compile.tuning.record import Record
from compile.tuning.workers import WorkerPool, result_of
from deploy_rpc.emulated_program import ProgramError


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
    records: dict[str, list[Record]] = {}
    for log in logs:
        for number, record in enumerate(TuningLog(log).read().records, start=1):
            places.setdefault(record.key, []).append((log, number))
            records.setdefault(record.key, []).append(record)
    faults = []
    with contextlib.closing(WorkerPool(workers, __name__)) as pool:
        futures = {pool.start(faults_of, of_kernel): key for key, of_kernel in records.items()}
        for done, future in enumerate(as_completed(futures), start=1):
            reasons = zip(places[futures[future]], result_of(future), strict=True)
            faults += [Fault(*place, reason) for place, reason in reasons if reason]
            advance(done, len(futures))
    return sorted(faults, key=lambda fault: (fault.log, fault.number))


def faults_of(records: Sequence[Record]) -> list[str | None]:
    """Of each of a kernel's `records` why a build would not take it, or would be wrong with it.

    None where all is well.
    """
    answers = functools.cache(answers_of)
    return [_fault_of(record, answers) for record in records]


def _fault_of(record: Record, answers: Callable[[Made], list[np.ndarray]]) -> str | None:
    if record.space == SPACE:
        return fault_of_auto(record)
    try:
        default, core = default_of(record)
    except UnusableRecordError as error:
        return str(error)
    tile = tile_of(record)
    if tile is None:
        return "decisions of another version of its template; tune again"
    if record.threads != DECIDING_THREADS:
        return f"of {record.threads} threads, and builds take records of {DECIDING_THREADS} alone"
    if record.outcome != "ok":
        return None
    if tile not in tiles_for(default.workload, core):
        return f"decisions that {core.name} has no room for: {record.decisions}"
    if tile == default.tile and not of_integers(default):
        return None
    candidate = with_tile(default, tile)
    try:
        error = (
            error_in_integers(candidate, default, core)
            if of_integers(default)
            else largest_difference(answers(candidate), answers(default))
        )
    except (ProgramError, TargetError) as failure:
        return f"cannot be replayed here: {failure}"
    return None if error <= most_error(default) else f"wrong answer: {error:.1e} of the range away"
