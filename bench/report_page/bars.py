"""Bars of rows that belong together: a chart a group, from nought, in their own unit."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.report_page.blocks import grouped
from bench.report_page.content import Bar, BarChart
from bench.report_page.numbers import quantity
from bench.rows import ENGINE, Row

FULL_WIDTH = 50  # percent of the longest bar; its value stands behind it, on a phone, too
LABEL_LETTERS = 42  # that a phone shows in a line
LINE, THICKNESS, GAP = 17, 12, 11  # pixels
DESCENT = 5  # from a label's baseline to its bar


@dataclass(frozen=True)
class Item:
    """A bar before it has its place."""

    label: str
    value: float
    text: str
    tone: str


def bar_chart(
    title: str,
    description: str,
    items: Sequence[Item],
    legend: Sequence[tuple[str, str]] = (),
) -> BarChart:
    """`items` from top to bottom, the longest at full width."""
    longest = max((item.value for item in items), default=0) or 1
    bars, y = [], 0
    for item in items:
        label = []
        for line in textwrap.wrap(item.label, LABEL_LETTERS):
            y += LINE
            label.append((line, y - DESCENT))
        width = round(max(FULL_WIDTH * item.value / longest, 0.3), 3)
        bars.append(Bar(label, item.text, width, item.tone, y))
        y += THICKNESS + GAP
    return BarChart(title, description, bars, THICKNESS, y, legend)


def charts_by(
    rows: Sequence[Row],
    *,
    by: Sequence[str],
    label: Sequence[str],
    note: Callable[[Row, Sequence[Row]], str] = lambda row, group: "",
) -> list[BarChart]:
    """A chart for each group of `rows` that agree in `by` and unit, if it has two bars at least.

    `label` are the columns that tell a group's bars apart; `note` says more of a row of its group.
    """
    groups = (group for group in grouped(rows, (*by, "unit")) if len(group) > 1)
    return [_chart(group, by, label, note) for group in groups]


def tone(row: Row) -> str:
    """The colour of a row's bar: ours stands out from other engines and from the lower levels."""
    if row["engine"] != ENGINE:
        return "other"
    return "base" if row.get("level") in ("stock", "unfused") else "ours"


def _chart(
    rows: Sequence[Row],
    by: Sequence[str],
    label: Sequence[str],
    note: Callable[[Row, Sequence[Row]], str],
) -> BarChart:
    items = []
    for row in rows:
        more = note(row, rows)
        text = quantity(row["median"], row["unit"]) + (f" ({more})" if more else "")
        items.append(Item(_words(row, label), row["median"], text, tone(row)))
    told = "; ".join(f"{item.label}: {item.text}" for item in items)
    return bar_chart(_words(rows[0], by), f"{rows[0]['kind']}: {told}", items)


def _words(row: Row, names: Sequence[str]) -> str:
    """What `row` is in the columns `names`; its engine where it is nothing there."""
    values = [(name, row[name]) for name in names if row.get(name) is not None]
    return ", ".join(_word(name, value) for name, value in values) or str(row["engine"])


def _word(name: str, value: object) -> str:
    """A number of threads says that it is one."""
    if name != "threads":
        return str(value)
    return "1 thread" if value == 1 else f"{value} threads"
