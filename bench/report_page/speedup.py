"""The suite table8: how many times faster than AlexNet each network is, here and in the paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench.report_page.bars import Item, bar_chart
from bench.report_page.blocks import grouped, heading
from bench.report_page.conditions import conditions, not_measured
from bench.report_page.content import BarChart, Block, Column, Table
from bench.report_page.numbers import number, quantity, ratio
from bench.report_page.tables import rows_table
from bench.reports import Report
from bench.rows import Row

TITLE = "Speedup over AlexNet, as in the paper's Table 8"
LEAD = (
    "How many times faster than AlexNet each network runs, every network by the fastest engine "
    "that the run had of it. The paper's times are of one core of a Snapdragon 820: only the "
    "factors compare. AlexNet is the grouped original; at inputs above 227 its features are pooled "
    "to the 6x6 that its fully connected layers take. The paper does not say what it did there."
)
BASELINE = "alexnet"
LEGEND = (("ours", "here"), ("paper", "the paper"))
HEADINGS = (
    "speedup", "95 % interval", "by MACs alone", "goal", "paper: speedup", "paper: ms",
)  # fmt: skip
COLUMNS = (
    *(Column(name, is_number=False) for name in ("input", "network", "fastest engine")),
    *(Column(name, is_number=True) for name in ("median", *HEADINGS)),
)
FIGURES_SHOWN = ("fastest", "speedup", "paper", "goal")  # in a table of their own


def speedup_blocks(report: Report, rows: Sequence[Row]) -> Iterator[Block]:
    """A block for each target: a chart an input, the factors, and all rows they come from."""
    for group in grouped(rows, ("target", "core", "kind", "unit")):
        fastest = [row for row in group if row.get("fastest")]
        charts = [chart(of_input) for of_input in grouped(fastest, ("input",))]
        every = [
            {name: value for name, value in row.items() if not name.startswith(FIGURES_SHOWN)}
            for row in group
        ]
        yield Block(
            heading=heading(group),
            kind=group[0]["kind"],
            conditions=conditions(report, group),
            source=report.name,
            figures=[each for each in charts if each.bars],
            tables=[_table(fastest), rows_table(every)] if fastest else [rows_table(every)],
            notes=not_measured(report, group),
        )


def chart(rows: Sequence[Row]) -> BarChart:
    """Of one input, each network's factor over the paper's; AlexNet itself is the measure."""
    items = []
    for row in rows:
        if row["model"] == BASELINE:
            continue
        here, paper = row["speedup_over_alexnet"], row.get("paper_speedup")
        items.append(Item(f"{row['model']}, {row['engine']}", here, ratio(here), "ours"))
        items += [Item("in the paper", paper, ratio(paper), "paper")] if paper else []
    told = "; ".join(f"{item.label}: {item.text}" for item in items)
    title = f"AlexNet's time over each network's, input {rows[0]['input']}"
    return bar_chart(title, f"{rows[0]['kind']}: {told}", items, LEGEND)


def goal(row: Row) -> str:
    """What was aimed at, and whether it is reached."""
    if "goal" not in row:
        return "-"
    missed_by = row["goal"] - row["speedup_over_alexnet"]
    return f"{row['goal']:g}x, {'met' if row['goal_met'] else f'missed by {missed_by:.1f}'}"


def _table(rows: Sequence[Row]) -> Table:
    body = [
        [
            row["input"],
            row["model"],
            row["engine"] + (f" {row['level']}" if row.get("level") else ""),
            quantity(row["median"], row["unit"]),
            ratio(row["speedup_over_alexnet"]),
            _shown(row, "speedup_interval", lambda ends: "{} to {}".format(*map(ratio, ends))),
            _shown(row, "speedup_by_macs", ratio),
            goal(row),
            _shown(row, "paper_speedup", ratio),
            _shown(row, "paper_ms", number),
        ]
        for row in rows
    ]
    return Table("Each network by its fastest engine, beside the paper", COLUMNS, body)


def _shown(row: Row, name: str, write: Callable[[Any], str]) -> str:
    """The field `name` as `write` writes it; a dash where the row has none."""
    return "-" if row.get(name) is None else write(row[name])
