"""Reports read back: the JSON that `bench/run.py` writes, checked before anything uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report_fields import fault_of_context, fault_of_row
from bench.rows import Row
from model.errors import InputError
from model.strict_json import JsonError, strict_json

OWN = ("date", "revision", "command")  # of each row, where a report is made bit by bit


class ReportError(InputError):
    """A file is no report of `bench/run.py`, or reports do not fit together."""


@dataclass(frozen=True)
class Report:
    """One run: where it is kept, under what conditions it was made, and its rows."""

    name: str
    context: Mapping[str, Any]
    rows: Sequence[Row]


def read_report(text: str) -> Report:
    """The report at the path `text`. Raises `ReportError` where there is none."""
    path = Path(text)
    if not path.is_file():
        what = "a folder" if path.is_dir() else "nothing"
        raise ReportError(f"expected a report, found {what} at {path}")
    try:
        content = strict_json(path.read_bytes())
    except (JsonError, OSError) as error:
        raise ReportError(f"{path} is no report: expected JSON ({error})") from error
    if not isinstance(content, dict) or not isinstance(content.get("context"), dict):
        raise ReportError(f"{path} is no report: no `context`; bench/run.py --json writes one")
    if fault := fault_of_context(content["context"]):
        raise ReportError(f"{path} is no report: `context`: {fault}")
    rows = content.get("rows")
    if not isinstance(rows, list) or not rows:
        raise ReportError(f"{path} is no report: `rows` is no list with rows in it")
    for number, row in enumerate(rows):
        if fault := fault_of_row(row):
            raise ReportError(f"{path} is no report: row {number}: {fault}")
    return Report(text, content["context"], rows)


def with_kept_rows(
    path: Path, rows: Sequence[Row], context: Mapping[str, Any], columns: Sequence[str]
) -> list[Row]:
    """`rows` behind those of the report at `path`, if there is one, that are about something else.

    What a row is about is what it has in `columns`. So a long list is made bit by bit: each of
    `rows` gets date, revision and command of its own `context`. Raises `ReportError` where
    something else lies at `path`.
    """
    kept = read_report(str(path)).rows if path.exists() else []
    made = {tuple(row.get(column) for column in columns) for row in rows}
    others = [row for row in kept if tuple(row.get(column) for column in columns) not in made]
    own = {name: context[name] for name in OWN}
    return [*others, *(row | own for row in rows)]
