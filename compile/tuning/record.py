"""One result of the autotuner as one line of JSON: what was tried, where, and what it took.

A log is untrusted input: a `Record` is checked field by field however it came to be, and a line is
refused when it is no strict JSON (NaN, a key given twice), too long or too deep.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, NoReturn

from compile.tuning.record_fields import (
    DATE_FORMAT,
    FIELDS,
    IN_NETWORK,
    RECORD_FORMAT,
    is_number,
    is_trace,
    is_whole,
)
from model.errors import InputError
from model.strict_json import JsonError, shown, strict_json

MISS_CYCLES = {"cortex-a72": 0.5}  # of a modelled miss of L1, in a record's score
OTHER_MISS_CYCLES = 0.1
MAX_LINE_BYTES = 1_000_000
MAX_DEPTH = 8  # of objects and lists in a line; the record itself is the first


class RecordError(InputError):
    """A record or a line of a log that breaks the format."""


@dataclass(frozen=True)
class Record:
    """What one candidate for one workload took on one core; raises `RecordError` if not valid.

    `workload` and `decisions` are the fields of the template's dataclasses (tuples become lists),
    or `{"trace": [...]}` where `space` is "auto". `samples` are in `unit`, a time each; there are
    some if and only if `outcome` is "ok". Those of kind "in network" are times of a whole
    network with the decisions, which won there over others: they compare with nothing, and a newer
    verdict counts before an older one. `date` is UTC, such as 2026-11-23T09:30:00Z.
    """

    format: int
    space: Literal["template", "auto"]
    template: str
    template_version: int
    workload: dict[str, Any]
    threads: int
    decisions: dict[str, Any]
    target: str
    core: str
    tvm_target: str
    board: str
    kind: Literal["in network", "measured", "modelled"]
    unit: Literal["s", "cycles"]
    outcome: Literal["ok", "wrong answer", "does not build"]
    samples: tuple[float, ...]
    counters: dict[str, int]
    versions: dict[str, str]
    date: str

    def __post_init__(self) -> None:
        """Checks each field, then those that depend on each other; makes values plain JSON."""
        for name, field in FIELDS.items():
            if not field.holds(getattr(self, name)):
                _refuse(name, field.expected, getattr(self, name))
        if bool(self.samples) != (self.outcome == "ok"):
            expected = "at least one" if self.outcome == "ok" else "none"
            _refuse("samples", f'{expected} with outcome "{self.outcome}"', self.samples)
        for name in ("workload", "decisions", "counters", "versions"):
            object.__setattr__(self, name, _plain(name, getattr(self, name), MAX_DEPTH - 1))
        object.__setattr__(self, "samples", tuple(float(sample) for sample in self.samples))
        if self.space == "auto" and not is_trace(self.decisions):
            _refuse("decisions", '{"trace": [...]} in space "auto"', self.decisions)

    @property
    def key(self) -> str:
        """What was tuned, template, workload and threads, as canonical JSON."""
        return _json([self.template, self.workload, self.threads])

    @property
    def competition(self) -> tuple[str, ...]:
        """What records share whose medians compare."""
        version = str(self.template_version)
        return (self.key, version, self.core, self.kind, self.space, self.unit)

    @property
    def rank(self) -> tuple[float, str]:
        """Sorts "ok" records of one competition, the one that counts first."""
        if self.kind == IN_NETWORK:
            return (-datetime.strptime(self.date, DATE_FORMAT).timestamp(), "")
        return (self.score, self.date)

    @property
    def score(self) -> float:
        """The median, in `unit`, of cycles with a share for misses.

        Modelled cycles know no caches: a share of a cycle for each miss of L1 lets a tile of a few
        more cycles win that misses less. So it is with 8 kernels of what the shipped logs hold, by
        0.6 % of the cycles at most (A72, one of 1.0x g3); searches found tiles of up to 1.4 % fewer
        cycles that lost (A72, one of 1.0x g1). Half a cycle on A72, whose L1 has two ways, leaves
        0.99 M misses of 1x g3's 1.31 M, with fewer cycles; on N1 it would cost 0.1 % for a tenth of
        the misses (2026-11-26).
        """
        misses = self.counters.get("l1_misses", 0) if self.unit == "cycles" else 0
        return self.median + MISS_CYCLES.get(self.core, OTHER_MISS_CYCLES) * misses

    @property
    def median(self) -> float:
        """The median of the samples, in `unit`; only an "ok" record has one."""
        return statistics.median(self.samples)


def record_line(record: Record) -> str:
    """`record` as a line without its newline: compact ASCII, the same for the same values."""
    line = _json(asdict(record))
    if len(line) > MAX_LINE_BYTES:
        raise RecordError(f"expected a record of at most {MAX_LINE_BYTES} bytes, got {len(line)}")
    return line


def parse_record(line: str | bytes) -> Record:
    """The record that `line` holds; raises `RecordError`, which says what is wrong with it."""
    if len(line) > MAX_LINE_BYTES:
        raise RecordError(f"expected a line of at most {MAX_LINE_BYTES} bytes, got {len(line)}")
    try:
        content = strict_json(line)
    except JsonError as error:
        raise RecordError(str(error)) from error
    if not isinstance(content, dict):
        raise RecordError(f"expected a JSON object, got {shown(content)}")
    _check_format(content.get("format"))
    _check_names(content)
    if isinstance(content["samples"], list):
        content["samples"] = tuple(content["samples"])
    return Record(**content)


def _check_format(number: object) -> None:
    if is_whole(number, 0) and number > RECORD_FORMAT:
        raise RecordError(
            f"the record has format {number}, and this version reads format {RECORD_FORMAT}: "
            "it was written by a newer shufflenet-compiled; update this one"
        )


def _check_names(content: dict[str, Any]) -> None:
    missing = [name for name in FIELDS if name not in content]
    unknown = [name for name in content if name not in FIELDS]
    if missing or unknown:
        raise RecordError(
            f"expected the fields of format {RECORD_FORMAT}; "
            f"missing: {shown(missing)}, unknown: {shown(unknown)}"
        )


def _plain(name: str, value: object, levels: int) -> object:
    """A copy of `value` as plain JSON of at most `levels` levels, its tuples as lists."""
    if value is None or isinstance(value, (str, bool)) or is_number(value):
        return value
    if not isinstance(value, (dict, list, tuple)):
        _refuse(name, "finite numbers, text, true, false, null, lists and objects", value)
    if levels == 0:
        _refuse(name, f"at most {MAX_DEPTH} levels of nesting", value)
    if not isinstance(value, dict):
        return [_plain(name, part, levels - 1) for part in value]
    if not all(isinstance(key, str) for key in value):
        _refuse(name, "keys that are text", value)
    return {key: _plain(name, value[key], levels - 1) for key in sorted(value)}


def _json(content: object) -> str:
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def _refuse(name: str, expected: str, value: object) -> NoReturn:
    raise RecordError(f"{name}: expected {expected}, got {shown(value)}")
