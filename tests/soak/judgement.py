"""What a soak of the tuner comes to: trials lost, records that are wrong, what grew, what is left.

A search says after each batch how many trials it has had, and goes on only when all of a batch are
priced: what it has had and is not recorded is lost.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from compile.tuning.log import TuningLog
from compile.tuning.record import Record
from tests.soak.farm import TEMPORARY
from tests.soak.search import Search
from tests.soak.usage import SoakError, Usage

OF_ONNX_RUNTIME = ".ses"  # one file, which it writes where it is imported and keeps
MOST_GROWTH = 1.1  # of memory from the first quarter of the faults to the last; records are kept
MORE_FILES = 3  # open or temporary: how many there are at a moment varies by a few
TEMPORARY_FILES = "temporary files"  # as the report names them
LEAST_FAULTS = 8  # of a search, for quarters of them to tell more than chance
LEAST_SEARCHES = 12  # three a quarter: one odd search does not decide their median
ERRORS = 3  # standard ones: of hours put together from searches of a sound one, 1 % differ by more
OF_A_MEDIAN = math.sqrt(math.pi / 2)  # its standard error, of many normal values, over the mean's
OF_NEIGHBOURS = 0.954  # standard deviations: the median of how far two normal values are apart
BAD = ("lost", "twice", "wrong", "set_aside", "failed_searches", "left", "grew")


@dataclass(frozen=True)
class Fault:
    """One fault: when, seconds until all boards were at work again, and what was there then."""

    what: str
    at_s: float
    recovery_s: float
    search: int  # from 1
    records: int  # of that search
    tuner: Usage
    farm: Usage
    temporary_files: int

    def __str__(self) -> str:
        return (
            f"{self.at_s:5.0f} s: {self.what}: {self.recovery_s:.1f} s; search {self.search}: "
            f"{self.records} records; tuner: {self.tuner}; farm: {self.farm}; "
            f"{self.temporary_files} temporary files"
        )


@dataclass(frozen=True)
class Judgement:
    """What came out; `check` raises `SoakError` where anything of it is bad."""

    report: dict[str, Any]

    def __str__(self) -> str:
        return json.dumps(
            {key: self.report[key] for key in self.report if key != "faults"}, indent=1
        )

    def check(self) -> None:
        """Raises `SoakError` that names what is wrong, lost, left, or has grown."""
        bad = [name for name in BAD if self.report[name]]
        if bad or self.report["outcomes"].keys() - {"ok"}:
            raise SoakError(f"expected nothing of it, got {', '.join(bad) or 'failed trials'}")


def judge(
    faults: Sequence[Fault], searches: Sequence[Search], wrong: Sequence[str], folder: Path
) -> Judgement:
    """Counts, and looks for what is left of the soak in `folder`; `wrong` says what replays ill."""
    records = [_records(search) for search in searches]
    held, by_chance = quarters_of_all(faults), more_by_chance(faults)
    return Judgement(
        {
            "faults": [dataclasses.asdict(fault) for fault in faults],
            "recovery": recoveries(faults),
            "records": [len(each) for each in records],
            "outcomes": dict(Counter(record.outcome for each in records for record in each)),
            "lost": sum(map(lost_trials, [search.said for search in searches], records)),
            "twice": sum(len(each) - len(distinct(each)) for each in records),
            "wrong": list(wrong),
            "set_aside": sum("is set aside" in line for each in searches for line in each.said),
            "failed_searches": [each.said[-5:] for each in searches if each.has_failed],
            "left": [*processes_of(folder), *temporary_files(folder)],
            "quarters": held,
            "temporary_files_by_chance": by_chance,
            "grew": what_grew(held, by_chance),
        }
    )


def recoveries(faults: Sequence[Fault]) -> dict[str, dict[str, float]]:
    """Of each kind how often, and the median and longest seconds until all was at work again."""
    seconds = defaultdict(list)
    for fault in faults:
        seconds[fault.what].append(fault.recovery_s)
    return {
        what: {"times": len(each), "median_s": statistics.median(each), "longest_s": max(each)}
        for what, each in seconds.items()
    }


def lost_trials(said: Sequence[str], records: Sequence[Record]) -> int:
    """How many of the trials that the search says it has had are not in its records."""
    return max(0, trials_said(said) - len(distinct(records)))


def trials_said(said: Sequence[str]) -> int:
    """How many trials the search says it has had, without those that it took from the log."""
    counts = [int(found[1]) for line in said if (found := re.match(r" *(\d+)/\d+ trials", line))]
    return max(counts, default=0)


def lost_lines(before: bytes, now: bytes, trials: int) -> int:
    """How many records a log lost that held `before` when searches of so many trials began.

    What was in it stays where it was, each trial has a line behind that.
    """
    gone = 0 if now.startswith(before) else before.count(b"\n")
    return gone + max(0, trials - (now.count(b"\n") - before.count(b"\n")))


def distinct(records: Sequence[Record]) -> set[tuple[str, str]]:
    """What was tried: kernels with decisions."""
    return {(record.key, json.dumps(record.decisions, sort_keys=True)) for record in records}


def quarters_of_all(faults: Sequence[Fault]) -> dict[str, tuple[float, float]]:
    """What was held over the first and the last quarter of the faults: medians.

    Of what a tuner holds in each search with enough of them, of all else through all searches. Most
    temporary files belong to candidates that wait, now few and now many: of these the least of each
    search, and its median over quarters of the searches; where these are too few, the least of all.
    """
    found = quarters(
        {
            "farm's memory": [fault.farm.memory for fault in faults],
            "farm's threads": [fault.farm.threads for fault in faults],
            "farm's files": [fault.farm.files for fault in faults],
        }
    )
    if len(least := least_of_searches(faults)) >= LEAST_SEARCHES:
        found |= quarters({TEMPORARY_FILES: least})
    else:
        found |= quarters({TEMPORARY_FILES: [fault.temporary_files for fault in faults]}, min)
    for number, count in Counter(fault.search for fault in faults).items():
        tuner = [fault.tuner for fault in faults if fault.search == number]
        if count >= LEAST_FAULTS:
            found |= quarters(
                {
                    f"tuner {number}'s memory": [usage.memory for usage in tuner],
                    f"tuner {number}'s threads": [usage.threads for usage in tuner],
                    f"tuner {number}'s files": [usage.files for usage in tuner],
                }
            )
    return found


def quarters(
    seen: Mapping[str, Sequence[float]],
    typical: Callable[[Sequence[float]], float] = statistics.median,
) -> dict[str, tuple[float, float]]:
    """Of each list what is `typical` of its first and of its last quarter."""
    return {
        name: (typical(each[:count]), typical(each[-count:]))
        for name, each in seen.items()
        if (count := max(1, len(each) // 4)) <= len(each)
    }


def least_of_searches(faults: Sequence[Fault]) -> list[int]:
    """Of each search that had faults, in their order, the fewest temporary files at one."""
    seen = defaultdict(list)
    for fault in faults:
        seen[fault.search].append(fault.temporary_files)
    return [min(each) for each in seen.values()]


def more_by_chance(faults: Sequence[Fault]) -> float:
    """How many more temporary files in the last quarter than in the first are no growth.

    Where searches are compared, as many as medians of quarters differ by when nothing grows, told
    from how far each search is from the next: what a leak adds to that is little beside its sum.
    """
    if len(least := least_of_searches(faults)) < LEAST_SEARCHES:
        return MORE_FILES
    deviation = statistics.median(abs(b - a) for a, b in pairwise(least)) / OF_NEIGHBOURS
    error = OF_A_MEDIAN * deviation / math.sqrt(len(least) // 4)
    return max(MORE_FILES, ERRORS * math.sqrt(2) * error)


def what_grew(found: Mapping[str, tuple[float, float]], more_temporary: float) -> list[str]:
    """Names of what was more in the last quarter than chance and the records explain.

    Of temporary files `more_temporary` is by chance.
    """

    def most(name: str, first: float) -> float:
        if name.endswith("memory"):
            return MOST_GROWTH * first
        return first + (more_temporary if name == TEMPORARY_FILES else MORE_FILES)

    return [name for name, (first, last) in found.items() if last > most(name, first)]


def processes_of(folder: Path) -> list[int]:
    """Processes whose command line names `folder`, or that have their temporary files there."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = [*process.cmdline(), process.environ().get("TMPDIR", "")]
            if any(str(folder) in word for word in words):
                found.append(process.pid)
    return found


def temporary_files(folder: Path) -> list[str]:
    """Temporary files of the programs of a soak in `folder`."""
    walk = os.walk(folder / TEMPORARY)  # which does not mind what vanishes meanwhile
    found = (f"{place}/{name}" for place, _, names in walk for name in names)
    return [path for path in found if Path(path).name != OF_ONNX_RUNTIME]


def lines_in(logs: Path) -> int:
    """Records in the logs of that folder."""
    return sum(log.read_bytes().count(b"\n") for log in logs.rglob("*.jsonl"))


def _records(search: Search) -> list[Record]:
    return [
        record
        for log in sorted(search.logs.rglob("*.jsonl"))
        for record in TuningLog(log).read().records
    ]
