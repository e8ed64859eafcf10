"""The tables of suite accuracy: number formats side by side, over pictures and layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table

from bench.rows import Row
from model.predictions import KEPT


def accuracy_tables(rows: Sequence[Row]) -> Group:
    """Of the rows that `measure_accuracy` makes."""
    return Group(_whole_table(whole_rows(rows)), _layers_table(rows))


def whole_rows(rows: Sequence[Row]) -> list[Row]:
    """Those of whole networks."""
    return [row for row in rows if row.get("layer") is None]


def layer_lines(rows: Sequence[Row]) -> list[tuple[tuple[str, str], dict[str, float]]]:
    """For each data set and layer, in their order, the median error by number format."""
    lines: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        if row.get("layer") is not None:
            lines.setdefault((row["data"], row["layer"]), {})[row["dtype"]] = row["median"]
    return list(lines.items())


def dtypes_of(rows: Sequence[Row]) -> list[str]:
    """The number formats in `rows`, in their order."""
    return list(dict.fromkeys(row["dtype"] for row in rows))


def calibrated_on(rows: Sequence[Row]) -> list[str]:
    """What int8 is calibrated on, a clause for each data set."""
    described = {
        row["data"]: f"{row['data']}: int8 calibrated on {row['calibrated_on']}, without labels"
        for row in rows
        if row.get("calibrated_on")
    }
    return list(described.values())


def where_run(row: Row) -> str:
    """The board of `row`, and whether it only converts."""
    return f"{row['board']}, by conversion" if row["converted"] else row["board"]


def _whole_table(rows: Sequence[Row]) -> Table:
    table = Table(title="Number formats over pictures, beside PyTorch", title_justify="left")
    for column in ("data", "model", "dtype", "board"):
        table.add_column(column)
    for column in ("top-1", f"top-{KEPT}", "same class", f"same best {KEPT}", "median", "largest"):
        table.add_column(column, justify="right")
    for row in rows:
        of_all = f"of {row['pictures']}"
        table.add_row(
            row["data"],
            row["model"],
            row["dtype"],
            where_run(row),
            f"{row['top1']:.1%}",
            f"{row['top5']:.1%}",
            f"{row['agree']} {of_all}",
            f"{row['same_best']} {of_all}",
            f"{row['median']:.1e}",
            f"{row['largest_error']:.1e}",
        )
    told = ("median, largest: error of a logit, as a share of their range", *calibrated_on(rows))
    table.caption = "; ".join(told)
    return table


def _layers_table(rows: Sequence[Row]) -> Table:
    dtypes = dtypes_of(rows)
    table = Table("data", "layer", title="Error after each layer", title_justify="left")
    for dtype in dtypes:
        table.add_column(dtype, justify="right")
    for (data, layer), errors in layer_lines(rows):
        table.add_row(data, layer, *(f"{errors[d]:.1e}" if d in errors else "-" for d in dtypes))
    table.caption = "root mean square, as a share of the layer's deviation; median over pictures"
    return table
