"""How fast each level of a build is, measured or modelled, and the table of that."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True)
class Latency:
    """Times of one level; `where` says on what they were taken, `kind` how, `note` what to know."""

    level: str
    kind: str
    unit: str
    where: str
    threads: int
    samples: list[float]
    note: str | None = None

    @property
    def median(self) -> float:
        """The median of the samples."""
        return statistics.median(self.samples)


def latency_table(rows: list[Latency]) -> Table:
    """Every level against the first one, and against the one above."""
    baseline = rows[0]
    what = "Modelled cycles" if baseline.kind == "modelled" else "Time"
    rounds = len(baseline.samples)
    turns = f"{rounds} interleaved rounds, " if rounds > 1 else ""
    title = f"{what} of one inference, {turns}on {baseline.where}"
    table = Table("level", "kind", title=title, title_justify="left", caption=baseline.note)
    for column in ("threads", "median", "min", "max", f"over {baseline.level}", "over row above"):
        table.add_column(column, justify="right")
    for above, row in zip([baseline, *rows], rows, strict=False):
        table.add_row(
            row.level,
            row.kind,
            str(row.threads),
            *(
                f"{value:.2f} {row.unit}"
                for value in (row.median, min(row.samples), max(row.samples))
            ),
            f"{baseline.median / row.median:.2f}x",
            f"{above.median / row.median:.2f}x",
        )
    return table
