"""What reports hold, field by field: checked, so that all that reads them can count on it.

A report may come from anywhere. Its texts are printable, its numbers nought or of a size with which
one can reckon, and what a page, a table or a comparison needs of a suite's rows is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from model.strict_json import shown

LEAST, MOST = 1e-30, 1e30  # sizes of numbers: products and quotients of them are finite
KINDS = ("measured", "modelled")


@dataclass(frozen=True)
class Field:
    """What a value has to be, in `words`."""

    words: str
    holds: Callable[[object], bool]


def is_number(value: object) -> bool:
    """Whether it is nought or a number of usual size."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return value == 0 or LEAST <= abs(value) <= MOST


def _is_positive(value: object) -> bool:
    return is_number(value) and value > 0


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _all(each: Callable[[object], bool], least: int = 0) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and len(value) >= least and all(map(each, value))


def _values(each: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(map(each, value.values()))


def _is_schedule(value: object) -> bool:
    names = ("modelled_cycles", "measured_ns")
    return isinstance(value, dict) and all(_is_positive(value.get(name)) for name in names)


def _is_quantity(value: object) -> bool:
    return isinstance(value, dict) and _is_positive(value.get("median"))


TEXT = Field("a printable text", _is_text)
TEXTS = Field("a list of printable texts", _all(_is_text))
NAMED_TEXTS = Field("printable texts by name", _values(_is_text))
NUMBER = Field("a finite number of usual size", is_number)
POSITIVE = Field("a number above nought, of usual size", _is_positive)
NOT_NEGATIVE = Field("a number of at least 0", lambda value: is_number(value) and value >= 0)
COUNT = Field("a whole number of at least 1", lambda v: _is_positive(v) and isinstance(v, int))
YES_OR_NO = Field("true or false", lambda value: isinstance(value, bool))
ENDS = Field("two numbers", lambda value: _all(is_number)(value) and len(value) == 2)

EVERY_ROW = {
    "suite": TEXT, "engine": TEXT, "unit": TEXT, "median": NUMBER,
    "kind": Field(" or ".join(KINDS), KINDS.__contains__),
    "samples": Field("a list of finite numbers of usual size, one at least", _all(is_number, 1)),
}  # fmt: skip
OF_A_TIME = {"median": POSITIVE}
OF_SUITES = {  # more that the rows of a suite have
    **dict.fromkeys(("fusion", "peers", "independent", "threads", "memory", "startup"), OF_A_TIME),
    "layers": {
        **dict.fromkeys(("kernel", "model", "input", "level", "core"), TEXT),
        "threads": COUNT, "calls": COUNT, "macs": NOT_NEGATIVE, "network_share": NOT_NEGATIVE,
        "peak_share": NOT_NEGATIVE, **OF_A_TIME,
    },
    "model-check": {
        **dict.fromkeys(("kernel", "core"), TEXT),
        **dict.fromkeys(("correlation", "pick_slowdown", "relative_error"), NUMBER),
        "ns_per_cycle": POSITIVE, "schedules": Field("schedules", _all(_is_schedule, 1)),
    },
    "accuracy": dict.fromkeys(("data", "model", "board", "dtype"), TEXT),
}  # fmt: skip
WHERE_FASTEST = {"model": TEXT, "input": TEXT, "speedup_over_alexnet": NUMBER}
WHERE_A_GOAL = {"goal": NUMBER, "goal_met": YES_OR_NO}
WHERE_OF_PICTURES = {"agree": NOT_NEGATIVE, "pictures": COUNT}
OR_NOTHING = {  # fields that a row may have, or have as null
    **dict.fromkeys(
        ("model", "input", "level", "kernel", "process", "target", "core", "dtype", "data",
         "layer", "board", "date", "revision", "command"),
        TEXT,
    ),
    **dict.fromkeys(("interval", "speedup_interval"), ENDS),
    **dict.fromkeys(("speedup_by_macs", "paper_speedup", "paper_ms"), NUMBER),
    "threads": COUNT, "kept": TEXTS, "fastest": YES_OR_NO, "macs": NOT_NEGATIVE,
    "bytes": NOT_NEGATIVE, "gflops": NOT_NEGATIVE,
}  # fmt: skip
OF_CONTEXT = {  # each of them, where it is there
    **dict.fromkeys(
        ("date", "command", "cpu", "governor", "system", "revision", "interval", "short_form"), TEXT
    ),
    **dict.fromkeys(("load_before", "memory_gib"), NOT_NEGATIVE),
    **dict.fromkeys(("versions", "engines", "not_measured", "weights"), NAMED_TEXTS),
    "cores": COUNT, "warnings": TEXTS,
    "machine": Field("quantities by name, each with a `median`", _values(_is_quantity)),
}  # fmt: skip


def fault_of_context(context: Mapping[str, object]) -> str | None:
    """What is wrong with the conditions of a report, None for nothing."""
    there = {name: field for name, field in OF_CONTEXT.items() if name in context}
    return _first_fault(context, there) or next(_odd_values(context), None)


def fault_of_row(row: object) -> str | None:
    """What is wrong with a row, None for nothing."""
    if not isinstance(row, dict):
        return f"expected an object, got {shown(row)}"
    needed = EVERY_ROW | OF_SUITES.get(str(row.get("suite")), {})
    if row.get("suite") == "table8" and row.get("fastest"):
        needed = needed | WHERE_FASTEST | OF_A_TIME
    if "goal" in row:
        needed = needed | WHERE_A_GOAL
    if "agree" in row:
        needed = needed | WHERE_OF_PICTURES
    there = {name: each for name, each in OR_NOTHING.items() if row.get(name) is not None}
    return _first_fault(row, needed) or _first_fault(row, there) or next(_odd_values(row), None)


def _first_fault(values: Mapping[str, object], fields: Mapping[str, Field]) -> str | None:
    for name, field in fields.items():
        if not field.holds(values.get(name)):
            return f"`{name}` is {shown(values.get(name))}, expected {field.words}"
    return None


def _odd_values(value: object) -> Iterator[str]:
    """Of all texts, keys and numbers in `value` what nobody can print or reckon with."""
    if isinstance(value, str) and not value.isprintable():
        yield f"{shown(value)}: expected texts that one can print"
    elif isinstance(value, float) and not is_number(value):
        yield f"{shown(value)}: expected finite numbers of usual size"
    for each in value if isinstance(value, (list, dict)) else ():
        yield from _odd_values(each)
    for each in value.values() if isinstance(value, dict) else ():
        yield from _odd_values(each)
