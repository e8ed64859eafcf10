"""A line of JSON that all readers take alike: no NaN, no key twice, whole numbers of 64 bits."""

from __future__ import annotations

import json
import reprlib
from typing import Any

from model.errors import InputError

MAX_WHOLE = 2**63 - 1


class JsonError(InputError):
    """A line that is no strict JSON."""


def strict_json(line: str | bytes) -> object:
    """What `line` says; raises `JsonError` where readers would disagree, or not read it."""
    try:
        text = line.decode("utf-8") if isinstance(line, bytes) else line
        return json.loads(
            text,
            object_pairs_hook=_object_of_unique_keys,
            parse_constant=_no_constant,
            parse_int=_whole,
        )
    except (ValueError, RecursionError) as error:
        raise JsonError(f"expected a line of JSON, got {shown(line)}: {error}") from error


def shown(value: object) -> str:
    """`value` in a message: short, and without what would control a terminal."""
    return reprlib.repr(value)


def _object_of_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise JsonError(f"expected each key once, got {shown(key)} twice")
        content[key] = value
    return content


def _no_constant(name: str) -> None:
    raise JsonError(f"expected finite numbers, got {name}")


def _whole(digits: str) -> int:
    """`digits` as an int; Python before 3.10.7 would take minutes for a line of digits."""
    if len(digits) > len(str(-MAX_WHOLE)) or abs(int(digits)) > MAX_WHOLE:
        raise JsonError(f"expected whole numbers of 64 bits, got {shown(digits)}")
    return int(digits)
