"""The suite accuracy: number formats side by side, and how their errors grow along the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.accuracy_table import whole_rows
from bench.report_page.bars import Item, bar_chart
from bench.report_page.blocks import grouped, plain_blocks
from bench.report_page.content import BarChart, Block
from bench.reports import Report
from bench.rows import Row

TITLE = "Accuracy of the number formats"
LEAD = (
    "Trained networks over labelled pictures, beside PyTorch in float32: the error of a logit, and "
    "the error after each layer, which adds up along the network. In brackets: on how many "
    "pictures the class is the same."
)


def accuracy_blocks(report: Report, rows: Sequence[Row]) -> Iterator[Block]:
    """A chart of the number formats for each network, one of its layers for each of them."""
    return plain_blocks(report, rows, _charts)


def _charts(rows: Sequence[Row]) -> list[BarChart]:
    layers = [row for row in rows if row.get("layer") is not None]
    formats = grouped(whole_rows(rows), ("data", "model", "board"))
    by_layer = grouped(layers, ("data", "dtype", "board"))
    return [
        *(_chart("a logit", group, "dtype", ("data", "model", "board")) for group in formats),
        *(_chart("each layer", group, "layer", ("data", "dtype", "board")) for group in by_layer),
    ]


def _chart(what: str, rows: Sequence[Row], label: str, by: Sequence[str]) -> BarChart:
    """A bar for each of `rows`, which agree in `by`; in percent, which a phone has room for."""
    items = [Item(row[label], row["median"], _told(row), "ours") for row in rows]
    of = ", ".join(str(rows[0][name]) for name in by)
    description = "; ".join(f"{item.label}: {item.text}" for item in items)
    return bar_chart(f"{of}: error of {what}, {rows[0]['unit']}", description, items)


def _told(row: Row) -> str:
    same = f" ({row['agree']} of {row['pictures']})" if "agree" in row else ""
    return f"{100 * row['median']:.2g} %{same}"
