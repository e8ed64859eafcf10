"""What a soak of the tuner comes to: trials lost, records that are wrong, what grew, what is left.

A search says after each batch how many trials it has had, and goes on only when all of a batch are
priced: what it has had and is not recorded is lost.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from compile.tuning.log import TuningLog
from compile.tuning.record import Record
from compile.tuning.verify import faults_of
from tests.soak.farm import TEMPORARY
from tests.soak.usage import SoakError, Usage

LOGS = "logs"  # in the folder of a soak
OF_ONNX_RUNTIME = ".ses"  # one file, which it writes where it is imported and keeps
MOST_GROWTH = 1.1  # of memory from the first quarter of the faults to the last; records are kept
MORE_FILES = 3  # open or temporary: how many there are at a moment varies by a few


@dataclass(frozen=True)
class Fault:
    """One fault: when, seconds until all boards were at work again, and what was there then."""

    what: str
    at_s: float
    recovery_s: float
    records: int
    tuner: Usage
    farms_memory: int  # of the processes that serve the boards
    temporary_files: int

    def __str__(self) -> str:
        return (
            f"{self.at_s:5.0f} s: {self.what}: {self.recovery_s:.1f} s; {self.records} records; "
            f"tuner: {self.tuner}; farms: {self.farms_memory:,} bytes; "
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
        found = self.report
        bad = [name for name in ("lost", "twice", "wrong", "left", "grew") if found[name]]
        if bad or found["set_aside"] or found["outcomes"].keys() - {"ok"}:
            raise SoakError(f"expected nothing of it, got {bad or 'failed trials or boards'}")


def judge(faults: Sequence[Fault], said: Sequence[str], folder: Path) -> Judgement:
    """Replays the logs in `folder`, counts, and looks for what is left of the soak there."""
    records = [record for log in logs_in(folder) for record in TuningLog(log).read().records]
    return Judgement(
        {
            "faults": [dataclasses.asdict(fault) for fault in faults],
            "recovery": recoveries(faults),
            "records": len(records),
            "outcomes": dict(Counter(record.outcome for record in records)),
            "lost": lost_trials(said, records),
            "twice": len(records) - len(distinct(records)),
            "wrong": [reason for reason in faults_of(records) if reason],
            "set_aside": sum("is set aside" in line for line in said),
            "left": [*processes_of(folder), *temporary_files(folder)],
            "quarters": quarters(faults),
            "grew": what_grew(faults),
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
    counts = [int(found[1]) for line in said if (found := re.match(r" *(\d+)/\d+ trials", line))]
    return max(0, max(counts, default=0) - len(distinct(records)))


def distinct(records: Sequence[Record]) -> set[tuple[str, str]]:
    """What was tried: kernels with decisions."""
    return {(record.key, json.dumps(record.decisions, sort_keys=True)) for record in records}


def quarters(faults: Sequence[Fault]) -> dict[str, tuple[float, float]]:
    """Medians over the first and the last quarter of the faults."""
    count = max(1, len(faults) // 4)
    seen = {
        "tuner_memory": [fault.tuner.memory for fault in faults],
        "tuner_threads": [fault.tuner.threads for fault in faults],
        "tuner_files": [fault.tuner.files for fault in faults],
        "farms_memory": [fault.farms_memory for fault in faults],
        "temporary_files": [fault.temporary_files for fault in faults],
    }
    return {
        name: (statistics.median(each[:count]), statistics.median(each[-count:]))
        for name, each in seen.items()
        if each
    }


def what_grew(faults: Sequence[Fault]) -> list[str]:
    """Names of what was more in the last quarter than chance and the records explain."""
    return [
        name
        for name, (first, last) in quarters(faults).items()
        if last > (MOST_GROWTH * first if name.endswith("memory") else first + MORE_FILES)
    ]


def processes_of(folder: Path) -> list[int]:
    """Processes whose command line names `folder`."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(folder) in " ".join(process.info["cmdline"] or [])
    ]


def temporary_files(folder: Path) -> list[str]:
    """Temporary files of the programs of a soak in `folder`."""
    walk = os.walk(folder / TEMPORARY)  # which does not mind what vanishes meanwhile
    found = (f"{place}/{name}" for place, _, names in walk for name in names)
    return [path for path in found if Path(path).name != OF_ONNX_RUNTIME]


def lines_in(folder: Path) -> int:
    """Records in its logs."""
    return sum(log.read_bytes().count(b"\n") for log in logs_in(folder))


def logs_in(folder: Path) -> list[Path]:
    """The logs of a soak in `folder`."""
    return sorted((folder / LOGS).rglob("*.jsonl"))
