"""The rows of suite table8 as a table beside the paper's."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from bench.rows import Row

ALEXNET_CHOICE = (
    "AlexNet is the grouped original with LRN, and its fully connected layers stay as they are: at "
    "inputs above 227 an average pool brings its features down to the 6x6 that they take, at 224 "
    "its first convolution is padded by 2. The paper does not say what it did."
)


def table8_table(rows: Sequence[Row]) -> Table:
    """Of the rows that `measure_table8` makes: the fastest engine of each network."""
    first = rows[0]
    table = Table(
        "input",
        "model",
        "fastest engine",
        title=f"One inference, {first['kind']} on {first['core']}, {first['threads']} thread(s), "
        f"median of {len(first['samples'])}; the paper's on one core of a Snapdragon 820",
        title_justify="left",
        caption=ALEXNET_CHOICE,
        caption_justify="left",
    )
    for column in (first["unit"], "AlexNet / it", "by MACs", "paper", "paper ms", "goal"):
        table.add_column(column, justify="right")
    for row in rows:
        if row["fastest"]:
            table.add_row(*_cells(row))
    return table


def _cells(row: Row) -> tuple[str, ...]:
    interval = row["speedup_interval"]
    within = f" ({interval[0]:.1f} to {interval[1]:.1f})" if interval else ""
    level = f" {row['level']}" if row["level"] else ""
    return (
        row["input"],
        row["model"],
        row["engine"] + level,
        f"{row['median']:.2f}",
        f"{row['speedup_over_alexnet']:.1f}{within}",
        f"{row['speedup_by_macs']:.1f}",
        f"{row['paper_speedup']:.1f}" if "paper_speedup" in row else "-",
        f"{row['paper_ms']:.1f}" if "paper_ms" in row else "-",
        f">= {row['goal']:.0f}: {'met' if row['goal_met'] else 'missed'}" if "goal" in row else "-",
    )
