"""The committed reports, bench/results/TARGET/SUITE.json, as the README speaks of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from bench.provenance import REPOSITORY
from bench.reports import Report, read_report

RESULTS = REPOSITORY / "bench" / "results"


def committed_report(suite: str, target: str = "host") -> Report:
    """The newest report of `suite`, under its path in the repository."""
    path = RESULTS / target / f"{suite}.json"
    report = read_report(str(path))
    return dataclasses.replace(report, name=str(path.relative_to(REPOSITORY)))


def markdown(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a table."""
    head = [f"| {' | '.join(headings)} |", "|" + "---|" * len(headings)]
    return head + [f"| {' | '.join(map(str, row))} |" for row in rows]


def measured_conditions(report: Report, rounds: str) -> str:
    """On what, when and how the figures were taken, and where they are kept."""
    context, first = report.context, report.rows[0]
    return (
        f"{first['kind'].capitalize()} on {context['cpu']}, {context['cores']} cores, shared; "
        f"median of {len(first['samples'])} {rounds}; {made(report)}; report: `{report.name}`."
    )


def made_bit_by_bit(report: Report) -> str:
    """The same of a report whose rows were made one after the other, of revisions of their own."""
    revisions = ", ".join(dict.fromkeys(row["revision"] for row in report.rows))
    cpu, date = report.context["cpu"], report.context["date"][:10]
    return f"Measured on {cpu}, shared; {date}, revisions {revisions}; report: `{report.name}`."


def named(reports: Iterable[Report]) -> str:
    """Where several are kept, each with its date and revision."""
    return ", ".join(f"`{report.name}` ({made(report)})" for report in reports)


def made(report: Report) -> str:
    """Date and revision."""
    return f"{report.context['date'][:10]}, revision {report.context['revision']}"
