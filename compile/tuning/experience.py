"""What other logs teach the model before the first trial: records of the same templates.

Costs are comparable as shares of the default tile's in the same log, whatever the shape, the core,
and whether cycles or seconds: a log without the default tile's record of a kernel teaches nothing
of it. `--prune` therefore keeps that record.

What it brought the search of 2026-11-25 (revision 0cced23), which neither tried the best tiles of
other kernels first nor weighed misses, modelled on a Cortex-A72 (deterministic, seed 0): four 1x1
kernels of shufflenet-0.5x-g3 (3.686 M cycles by default) came within 1 % of the best known,
3.621 M, after 28 trials with 380 records of 1x g3 and of shipped logs, after 84 without. After 96
trials they stood at 3.621 M with them and at 3.657 M without. Not counted anew since.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from compile.schedules.precision import dtype_of
from compile.schedules.templates import Made
from compile.tuning.decisions import UnusableRecordError, default_of, tile_of
from compile.tuning.log import TuningLog
from compile.tuning.record import Record
from compile.tuning.record_fields import IN_NETWORK
from deploy_rpc.cores import Core


@dataclass(frozen=True)
class Lesson:
    """That `made` costs `cost` times as much on `core` as its workload with the default tile."""

    made: Made
    core: Core
    cost: float


def lessons_of(folders: Iterable[Path], without: Path) -> list[Lesson]:
    """The lessons of all logs in `folders`, each once, but the one at `without`; maybe none.

    Raises `LogError` where a log cannot be read.
    """
    found = {log.resolve() for folder in folders for log in folder.rglob("*.jsonl")}
    logs = sorted(found - {without.resolve()})
    return [lesson for log in logs for lesson in _lessons(TuningLog(log).read().records)]


def counted(lessons: Iterable[Lesson]) -> str:
    """How many lessons there are of each core: `350 records (cortex-a72 200, neoverse-n1 150)`."""
    cores = Counter(lesson.core.name for lesson in lessons)
    listed = ", ".join(f"{name} {count}" for name, count in cores.most_common())
    return f"{cores.total()} records ({listed})" if cores else "no record"


def _lessons(records: Iterable[Record]) -> Iterator[Lesson]:
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        if record.kind != IN_NETWORK and record.outcome == "ok" and tile_of(record) is not None:
            groups.setdefault(record.competition, []).append(record)
    for group in groups.values():
        yield from _lessons_of_kernel(group)


def _lessons_of_kernel(group: list[Record]) -> Iterator[Lesson]:
    """Of records that compare, all of one kernel."""
    try:
        default, core = default_of(group[0])
    except UnusableRecordError:
        return
    tiles = [tile_of(record) for record in group]
    least = min(
        (r.score for r, t in zip(group, tiles, strict=True) if t == default.tile), default=0
    )
    if least:
        for record, tile in zip(group, tiles, strict=True):
            made = dataclasses.replace(default, tile=tile)
            yield Lesson(made, core.of(dtype_of(made.workload)), record.score / least)
