"""Logs of the autotuner merged into one, and one pruned to the records that decide."""

from __future__ import annotations

import itertools
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from compile.tuning.log import TuningLog, contents_of, lines_of
from compile.tuning.log_file import LogError, append_bytes, explained, sync_folder, writing
from compile.tuning.record import Record, record_line
from compile.tuning.torn_line import Warn, set_torn_aside
from model.cli import write_atomically


def merge_logs(sources: Iterable[Path], destination: Path, warn: Warn = warnings.warn) -> int:
    """Writes the records of `sources` and `destination` to `destination`; returns how many.

    Exact duplicates become one; the order is by (key, date). Others may append meanwhile: the
    sources count as they were read, and the destination is locked until it is replaced.
    """
    records = list(itertools.chain(*(TuningLog(source).read().records for source in sources)))
    with explained("merge logs into", destination), writing(destination):
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
    with explained("prune", path), writing(path):
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


def _sound_records(path: Path, warn: Warn) -> list[Record]:
    """The records of `path`, under its lock, after a torn last line was set aside."""
    set_torn_aside(path, warn)
    return contents_of(path, path.read_bytes(), skip_bad=False).records if path.exists() else []


def _replace(path: Path, records: list[Record]) -> None:
    write_atomically(path, lambda temporary: append_bytes(temporary, lines_of(records)))
    sync_folder(path.parent)
