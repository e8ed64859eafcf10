"""What frames the page: what to doubt, which reports, of what machines and versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.report_page.conditions import warnings
from bench.report_page.content import Column, Table
from bench.report_page.numbers import number
from bench.reports import Report

COLUMNS = (
    Column("report", is_number=False),
    Column("suites", is_number=False),
    Column("rows", is_number=True),
    Column("figures are", is_number=False),
    Column("made, UTC", is_number=False),
    Column("revision", is_number=False),
    Column("load before", is_number=True),
    Column("peak, GFLOP/s", is_number=True),
    Column("memory, GB/s", is_number=True),
)
NAMES = {  # of the context's facts on the machine, in order
    "cpu": "processor",
    "cores": "cores",
    "governor": "governor",
    "memory_gib": "memory, GiB",
    "system": "system",
}
NOT_LISTED = {*NAMES, "date", "revision", "command", "short_form", "load_before", "interval"}


@dataclass(frozen=True)
class Machine:
    """What several reports share: their names, facts of the machine, versions, kind of interval."""

    reports: Sequence[str]
    facts: Sequence[tuple[str, str]]
    versions: Sequence[tuple[str, str]]
    interval: str


@dataclass(frozen=True)
class Summary:
    """`doubts` are a sentence each, and the reports that it is about, or the suite without one."""

    table: Table
    machines: Sequence[Machine]
    doubts: Sequence[tuple[Sequence[str], str]]


def summary(reports: Sequence[Report], missing: Mapping[str, str]) -> Summary:
    """Of all `reports`; those of one machine with the same versions are described once.

    `missing` are suites that have none, and why.
    """
    about: dict[str, list[str]] = {}
    for suite, why in missing.items():
        about.setdefault(f"not on this page: {why}", []).append(suite)
    for report in reports:
        for text in warnings(report):
            about.setdefault(text, []).append(report.name)
    doubts = [(names, text) for text, names in about.items()]
    rows = [_row(report) for report in reports]
    return Summary(Table("Reports on this page", COLUMNS, rows), _machines(reports), doubts)


def _row(report: Report) -> list[str]:
    context = report.context
    kinds = sorted({row["kind"] for row in report.rows})
    return [
        report.name,
        ", ".join(dict.fromkeys(row["suite"] for row in report.rows)),
        str(len(report.rows)),
        " and ".join(kinds),
        str(context.get("date", "-"))[:16].replace("T", " "),
        str(context.get("revision", "-")),
        str(context.get("load_before", "-")),
        *(_reached(context, name) for name in ("peak", "bandwidth")),
    ]


def _reached(context: Mapping[str, Any], name: str) -> str:
    """The median of what one core of the machine reached in that run."""
    quantity = (context.get("machine") or {}).get(name)
    return number(quantity["median"]) if quantity else "-"


def _machines(reports: Sequence[Report]) -> list[Machine]:
    found: dict[tuple[object, ...], list[str]] = {}
    for report in reports:
        shared = _facts(report), _versions(report), str(report.context.get("interval") or "")
        found.setdefault(shared, []).append(report.name)
    return [Machine(names, *shared) for shared, names in found.items()]


def _facts(report: Report) -> tuple[tuple[str, str], ...]:
    """The machine's, and whatever else a run recorded as a plain value."""
    context = report.context
    known = [(name, str(context[key])) for key, name in NAMES.items() if key in context]
    more = [
        (key.replace("_", " "), str(value))
        for key, value in context.items()
        if key not in NOT_LISTED and isinstance(value, (str, int, float))
    ]
    return (*known, *more)


def _versions(report: Report) -> tuple[tuple[str, str], ...]:
    context = report.context
    every = (context.get("versions") or {}) | (context.get("engines") or {})
    return tuple(sorted(every.items()))
