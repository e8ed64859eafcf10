"""The suite accuracy: number formats side by side, and how their errors grow along the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.accuracy_table import whole_rows
from bench.report_page.bars import charts_by
from bench.report_page.blocks import plain_blocks
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
    formats = charts_by(
        whole_rows(rows), by=("data", "model", "board"), label=("dtype",), note=_same_class
    )
    return [*formats, *charts_by(layers, by=("data", "dtype", "board"), label=("layer",))]


def _same_class(row: Row, group: Sequence[Row]) -> str:
    return f"{row['agree']} of {row['pictures']}"
