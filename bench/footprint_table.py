"""The tables of suites memory and startup."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from bench.rows import Row


def memory_table(rows: Sequence[Row]) -> Table:
    """Of the rows that `measure_memory` makes."""
    table = Table("model", "engine", "process")
    columns = ("memory", "min", "max", "rounds", "weights + workspace", "beyond those")
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        samples = row["samples"]
        needed = (row.get("weights_bytes", 0) + row.get("workspace_bytes", 0)) / 1e6
        known = [f"{needed:.2f} MB", f"{row['median'] - needed:.2f} MB"] if needed else ["-", "-"]
        table.add_row(
            row["model"],
            row["engine"],
            row["process"],
            *(f"{value:.2f} MB" for value in (row["median"], min(samples), max(samples))),
            str(len(samples)),
            *known,
        )
    return table


def startup_table(rows: Sequence[Row]) -> Table:
    """Of the rows that `measure_startup` makes."""
    table = Table("model", "engine")
    for column in ("first answer", "min", "max", "rounds", "import before"):
        table.add_column(column, justify="right")
    for row in rows:
        samples = row["samples"]
        table.add_row(
            row["model"],
            row["engine"],
            *(f"{value:.2f} ms" for value in (row["median"], min(samples), max(samples))),
            str(len(samples)),
            f"{row['import_ms']:.0f} ms",
        )
    return table
