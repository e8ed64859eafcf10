"""Blocks: the rows of a report that stand under the same conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bench.report_page.conditions import conditions, not_measured
from bench.report_page.content import Block, Figure
from bench.report_page.tables import rows_table
from bench.reports import Report
from bench.rows import Row

CONDITIONS = ("target", "core", "kind")


def grouped(rows: Sequence[Row], by: Sequence[str] = CONDITIONS) -> Iterator[list[Row]]:
    """The groups of `rows` that agree in the columns `by`, in the order of their first rows."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name) for name in by), []).append(row)
    yield from groups.values()


def plain_blocks(
    report: Report,
    rows: Sequence[Row],
    figures: Callable[[Sequence[Row]], Sequence[Figure]] = lambda rows: (),
) -> Iterator[Block]:
    """A block for each set of conditions among `rows`: `figures` of them, and their table."""
    for group in grouped(rows):
        yield Block(
            heading=heading(group),
            kind=group[0]["kind"],
            conditions=conditions(report, group),
            figures=figures(group),
            tables=[rows_table(group)],
            source=report.name,
            notes=not_measured(report, group),
        )


def heading(rows: Sequence[Row]) -> str:
    """Where the rows were taken: the target, and its core where that has another name."""
    target, core = rows[0].get("target"), rows[0].get("core")
    return str(target) if core in (None, target) else f"{target} ({core})"
