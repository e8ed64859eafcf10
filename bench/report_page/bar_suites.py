"""The suites that bars and a table say all of: which rows stand in one chart, and beside what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.report_page.bars import charts_by
from bench.report_page.blocks import plain_blocks
from bench.report_page.content import BarChart, Block
from bench.report_page.numbers import ratio
from bench.reports import Report
from bench.rows import ENGINE, Row


@dataclass(frozen=True)
class BarSuite:
    """Rows that agree in `by` stand in one chart, and differ in `label`; see `charts_by`."""

    title: str
    lead: str
    by: tuple[str, ...]
    label: tuple[str, ...]
    note: Callable[[Row, Sequence[Row]], str] = lambda row, group: ""

    def charts(self, rows: Sequence[Row]) -> list[BarChart]:
        """Of rows under the same conditions."""
        return charts_by(rows, by=self.by, label=self.label, note=self.note)

    def blocks(self, report: Report, rows: Sequence[Row]) -> list[Block]:
        """Of this suite's rows of one report."""
        return list(plain_blocks(report, rows, self.charts))


def over_first(row: Row, group: Sequence[Row]) -> str:
    """How many times faster than the group's first row."""
    return "" if row is group[0] else ratio(group[0]["median"] / row["median"])


def of_ours(row: Row, group: Sequence[Row]) -> str:
    """Of another engine, how many times what the best of ours in the group takes."""
    ours = [each["median"] for each in group if each["engine"] == ENGINE]
    return ratio(row["median"] / min(ours)) if ours and row["engine"] != ENGINE else ""


BAR_SUITES = {
    "fusion": BarSuite(
        "The ladder of levels",
        "The same network at every level of the compiler, timed in turns. In brackets: how many "
        "times faster than the first level shown.",
        by=("model", "input", "threads"),
        label=("level",),
        note=over_first,
    ),
    "peers": BarSuite(
        "Other engines",
        "The same network, weights and input in every engine, outputs compared first. In brackets: "
        "how many times what ours takes.",
        by=("model", "input", "threads"),
        label=("engine", "level"),
        note=of_ours,
    ),
    "independent": BarSuite(
        "The bench checked by other means",
        "The same two engines, timed by the bench and each in a plain loop of its own: the factor "
        "in brackets, how many times what ours takes, has to be the same.",
        by=("model", "input", "process"),
        label=("engine",),
        note=of_ours,
    ),
    "groups": BarSuite(
        "Groups at equal complexity",
        "The paper's trade-off: more groups buy wider features for the same multiply-adds.",
        by=("input", "engine", "level", "threads"),
        label=("model",),
    ),
    "threads": BarSuite(
        "Threads",
        "The same network with more threads. In brackets: how many times faster than the first "
        "bar.",
        by=("model", "input", "engine", "level"),
        label=("threads",),
        note=over_first,
    ),
    "memory": BarSuite(
        "Memory of a process",
        "In a Python process: what is needed beyond the interpreter with NumPy and the input, up "
        "to the first answer. Of a C program: everything.",
        by=("model", "input"),
        label=("engine", "process"),
        note=of_ours,
    ),
    "startup": BarSuite(
        "From the file to the first answer",
        "Loading the library or model and the first inference, files in the page cache.",
        by=("model", "input"),
        label=("engine",),
        note=of_ours,
    ),
    "size": BarSuite(
        "Size of the library",
        "The stripped shared library with the weights inside.",
        by=("input", "level"),
        label=("model",),
    ),
}
