"""What each field of a tuning record must hold, in words and as a test."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from model.strict_json import MAX_WHOLE

RECORD_FORMAT = 1
IN_NETWORK = "in network"
KINDS = (IN_NETWORK, "measured", "modelled")  # which counts before which
DATE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Field:
    """What a field must hold: in words, and as a test."""

    expected: str
    holds: Callable[[Any], bool]


def is_whole(value: object, least: int) -> bool:
    """Whether `value` is an int of 64 bits, no bool, of at least `least`."""
    is_int = isinstance(value, int) and not isinstance(value, bool)
    return is_int and least <= value <= MAX_WHOLE


def is_number(value: object) -> bool:
    """Whether `value` is finite, or an int of 64 bits."""
    if isinstance(value, float):
        return math.isfinite(value)
    return is_whole(value, -MAX_WHOLE)


def is_trace(decisions: dict[str, Any]) -> bool:
    """Whether `decisions` are a list under the one name "trace"."""
    return list(decisions) == ["trace"] and isinstance(decisions["trace"], list)


def _is_format(value: object) -> bool:
    return is_whole(value, RECORD_FORMAT) and value == RECORD_FORMAT


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_name(value: object) -> bool:
    return _is_text(value) and value != ""


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _are_samples(value: object) -> bool:
    return isinstance(value, tuple) and all(is_number(part) and part > 0 for part in value)


def _are_counters(value: object) -> bool:
    return _is_object(value) and all(
        _is_name(name) and is_whole(count, 0) for name, count in value.items()
    )


def _are_versions(value: object) -> bool:
    return _is_object(value) and all(
        _is_name(name) and _is_name(version) for name, version in value.items()
    )


def _is_date(value: object) -> bool:
    try:
        return datetime.strptime(value, DATE_FORMAT).strftime(DATE_FORMAT) == value
    except (TypeError, ValueError):
        return False


def _one_of(*allowed: str) -> Field:
    return Field(
        "one of " + ", ".join(f'"{text}"' for text in allowed),
        lambda value: isinstance(value, str) and value in allowed,
    )


_NAME = Field("printable text, not empty", _is_name)
_OBJECT = Field("an object", _is_object)

# fmt: off
FIELDS = {
    "format":           Field(f"{RECORD_FORMAT}", _is_format),
    "space":            _one_of("template", "auto"),
    "template":         _NAME,
    "template_version": Field("a whole number of at least 0", lambda value: is_whole(value, 0)),
    "workload":         _OBJECT,
    "threads":          Field("a whole number of at least 1", lambda value: is_whole(value, 1)),
    "decisions":        _OBJECT,
    "target":           _NAME,
    "core":             _NAME,
    "tvm_target":       _NAME,
    "board":            Field("printable text", _is_text),
    "kind":             _one_of(*KINDS),
    "unit":             _one_of("s", "cycles"),
    "outcome":          _one_of("ok", "wrong answer", "does not build"),
    "samples":          Field("positive finite numbers", _are_samples),
    "counters":         Field("an object of names and counts of at least 0", _are_counters),
    "versions":         Field("an object of packages and their versions", _are_versions),
    "date":             Field("UTC such as 2026-11-23T09:30:00Z", _is_date),
}
# fmt: on
