"""The suite table8: how many times faster than AlexNet each network is, here and in the paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.paper import BASELINE, paper_column, paper_ms, paper_speedup
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
    "that the report has of it. The paper's times are of one core of a Snapdragon 820: only the "
    "factors compare."
)
GOALS = {("shufflenet-0.5x-g3", "224x224"): 25.0, ("shufflenet-0.5x-g3", "480x640"): 17.0}
LEGEND = (("ours", "here"), ("paper", "the paper"))
COLUMNS = (
    Column("input", is_number=False),
    Column("network", is_number=False),
    Column("fastest engine", is_number=False),
    Column("median", is_number=True),
    Column("speedup", is_number=True),
    Column("goal", is_number=True),
    Column("paper: speedup", is_number=True),
    Column("paper: ms", is_number=True),
)


@dataclass(frozen=True)
class Speedup:
    """A network's fastest row at one input, and how that compares to AlexNet's fastest."""

    row: Row
    input: str
    speedup: float | None

    @property
    def paper(self) -> float | None:
        """The paper's factor."""
        return paper_speedup(self.row["model"], self.input)

    @property
    def goal(self) -> str:
        """What was aimed at, and whether it is reached."""
        goal = GOALS.get((self.row["model"], self.input))
        if goal is None or self.speedup is None:
            return "-"
        reached = self.speedup >= goal
        return f"{goal:g}x, {'met' if reached else f'missed by {goal - self.speedup:.1f}'}"


def speedup_blocks(report: Report, rows: Sequence[Row]) -> Iterator[Block]:
    """A block for each target: a chart an input, the factors, and all rows they come from."""
    for group in grouped(rows, ("target", "core", "kind", "unit")):
        speedups = fastest(group)
        inputs = dict.fromkeys(each.input for each in speedups)
        charts = (chart([each for each in speedups if each.input == size]) for size in inputs)
        yield Block(
            heading=heading(group),
            kind=group[0]["kind"],
            conditions=conditions(report, group),
            source=report.name,
            figures=[each for each in charts if each],
            tables=[_table(speedups), rows_table(group)],
            notes=[*_notes(group), *not_measured(report, group)],
        )


def fastest(rows: Sequence[Row]) -> list[Speedup]:
    """The fastest row of each network at each input; AlexNet at 227x227 counts as 224x224."""
    best: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (paper_column(row["input"]), row["model"])
        if key not in best or row["median"] < best[key]["median"]:
            best[key] = row
    return [
        Speedup(row, size, _speedup(best.get((size, BASELINE)), row))
        for (size, _), row in best.items()
    ]


def chart(speedups: Sequence[Speedup]) -> BarChart | None:
    """Of one input, ours over the paper's; None where AlexNet is missing."""
    items = []
    for each in speedups:
        if each.speedup is None or each.row["model"] == BASELINE:
            continue
        label = f"{each.row['model']}, {each.row['engine']}"
        items.append(Item(label, each.speedup, ratio(each.speedup), "ours"))
        if each.paper:
            items.append(Item("in the paper", each.paper, ratio(each.paper), "paper"))
    if not items:
        return None
    told = "; ".join(f"{item.label}: {item.text}" for item in items)
    title = f"AlexNet's time over each network's, input {speedups[0].input}"
    return bar_chart(title, told, items, LEGEND)


def _speedup(alexnet: Row | None, row: Row) -> float | None:
    return alexnet["median"] / row["median"] if alexnet else None


def _table(speedups: Sequence[Speedup]) -> Table:
    rows = [
        [
            _input(each),
            each.row["model"],
            each.row["engine"],
            quantity(each.row["median"], each.row["unit"]),
            ratio(each.speedup) if each.speedup else "-",
            each.goal,
            ratio(each.paper) if each.paper else "-",
            _ms(paper_ms(each.row["model"], each.input)),
        ]
        for each in speedups
    ]
    return Table("Each network by its fastest engine, beside the paper", COLUMNS, rows)


def _input(each: Speedup) -> str:
    """The paper's input, and in brackets the network's own where that is another."""
    own = each.row["input"]
    return own if own == each.input else f"{each.input} ({own})"


def _ms(value: float | None) -> str:
    return "-" if value is None else number(value)


def _notes(rows: Sequence[Row]) -> list[str]:
    """What the rows themselves say on AlexNet, and what is missing for a factor."""
    notes = [str(row["note"]) for row in rows if row.get("note")]
    inputs = {paper_column(row["input"]) for row in rows}
    with_alexnet = {paper_column(row["input"]) for row in rows if row["model"] == BASELINE}
    missing = sorted(inputs - with_alexnet)
    notes += [f"no factor at {', '.join(missing)}: the report has no AlexNet"] if missing else []
    return list(dict.fromkeys(notes))
