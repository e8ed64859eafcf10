"""Tables of committed reports, and what stands below them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.report_page.conditions import warnings
from bench.reports import Report
from bench.rows import Row


def section(headings: Sequence[str], rows: Iterable[Sequence[object]], *below: str) -> str:
    """A table, and the lines `below` it."""
    return "\n".join([*markdown(headings, rows), "", *below])


def markdown(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a table."""
    head = [f"| {' | '.join(headings)} |", "|" + "---|" * len(headings)]
    return head + [f"| {' | '.join(map(str, row))} |" for row in rows]


def engine_of(row: Row) -> str:
    """The engine of `row`, with the level where it is ours."""
    return f"{row['engine']}, {row['level']}" if row["level"] else row["engine"]


def measured_conditions(report: Report, rounds: str) -> str:
    """`conditions` of figures that are medians of `rounds` of one kind."""
    context, first = report.context, report.rows[0]
    return conditions(
        f"{first['kind'].capitalize()} on {context['cpu']}, {context['cores']} cores, shared; "
        f"median of {len(first['samples'])} {rounds}",
        report,
    )


def conditions(what: str, report: Report) -> str:
    """The line below a table: `what` its figures are, when, by what and of which code they were
    made, where they are kept, and what the report itself has to say against them.
    """
    doubted = f" Doubts: {text}." if (text := doubts(report)) else ""
    return f"{what}; {made(report)}; report: `{report.name}`.{doubted}"


def several(what: str, reports: Iterable[Report]) -> list[str]:
    """The lines of the same for figures out of several reports: a list of those behind `what`."""
    lines = []
    for report in reports:
        doubted = f"; doubts: {text}" if (text := doubts(report)) else ""
        lines.append(f"- `{report.name}`: {made(report)}{doubted}")
    return [f"{what}; reports:", "", *lines]


def made(report: Report) -> str:
    """Date, revision and command, which older reports do not name.

    Of rows that were made one after the other those of all.
    """
    revisions, commands = (_all_of(name, report) for name in ("revision", "command"))
    noun = "revision" if len(revisions) == 1 else "revisions"
    when = f"{report.context['date'][:10]}, {noun} {', '.join(revisions)}"
    how = ", ".join(f"`{command}`" for command in commands)
    return f"{when}; {how}" if how else when


def doubts(report: Report) -> str:
    """Its warnings, without what to make of them."""
    return "; ".join(text.partition(": ")[0] for text in warnings(report))


def _all_of(name: str, report: Report) -> list[str]:
    """What the rows have of `name`, or else the whole report; nothing where neither has it."""
    of_rows = [row[name] for row in report.rows if name in row]
    of_report = [report.context[name]] if name in report.context else []
    return list(dict.fromkeys(of_rows or of_report))
