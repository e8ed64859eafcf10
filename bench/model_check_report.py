"""The model check's table, and its picture: every schedule's modelled cycles and measured time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from bench.rows import Row
from model.cli import write_atomically

WANTED_CORRELATION, WANTED_SLOWDOWN = 0.95, 1.05
WITH_GOAL = ("grouped pointwise", "depthwise 3x3", "stem")  # of the others there are only figures
PLOTS_A_ROW = 4


def model_check_table(rows: Sequence[Row]) -> Table:
    """Of the rows that `check_model` makes."""
    first = rows[0]
    table = Table(
        title=f"the cycle model against this machine: code for {first['compiled_for']}, LLVM's "
        f"model of {first['llvm_model']}, one thread",
        title_justify="left",
        caption=f"wanted of {', '.join(WITH_GOAL)}: correlation {WANTED_CORRELATION:g} or more, "
        f"the pick at most {WANTED_SLOWDOWN:g} times slower than the best; "
        f"{first['ns_per_cycle']:.3f} ns a modelled cycle throughout",
        caption_justify="left",
    )
    table.add_column("kernel", no_wrap=True)
    for column in ("schedules", "slowest / fastest", "correlation", "pick / best", "median error"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*figures_of(row))
    return table


def figures_of(row: Row) -> tuple[str, ...]:
    """Kernel, schedules, slowest / fastest, rank correlation, pick / best and median error."""
    return (
        row["kernel"],
        str(len(row["schedules"])),
        f"{row['slowest_to_fastest']:.1f}",
        f"{row['correlation']:.3f}",
        f"{row['pick_slowdown']:.3f}",
        f"{row['relative_error']:.1%}",
    )


def draw_model_check(rows: Sequence[Row], path: Path) -> bool:
    """Writes a PNG, a plot for each row; says what to install and returns False without matplotlib.

    Both axes are logarithmic; the line is the factor that all plots share.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print(f"no {path.name}: matplotlib is not installed (pip install '.[plots]')")
        return False
    columns = min(len(rows), PLOTS_A_ROW)
    lines = -(-len(rows) // columns)
    figure = Figure(figsize=(4.5 * columns, 4 * lines), layout="constrained")
    plots = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in plots[len(rows) :]:
        axes.set_axis_off()
    for axes, row in zip(plots[: len(rows)], rows, strict=True):
        cycles = [each["modelled_cycles"] for each in row["schedules"]]
        times_us = [each["measured_ns"] / 1e3 for each in row["schedules"]]
        ends = min(cycles), max(cycles)
        axes.loglog(ends, [row["ns_per_cycle"] * end / 1e3 for end in ends], color="0.7")
        axes.loglog(cycles, times_us, "o", markersize=4)
        facts = f"correlation {row['correlation']:.3f}, pick {row['pick_slowdown']:.3f}"
        axes.set_title(f"{row['kernel']}\n{facts}")
        axes.set_xlabel(f"modelled cycles, {row['llvm_model']}")
        axes.set_ylabel("measured us")
    write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=80, format="png"))
    return True
