"""The ladder: every level of one network, timed in turns in one run, outputs verified first."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from bench.rows import ENGINE, Row, report_row
from compile.examine import examine
from compile.library import build_library
from compile.link import find_linker
from compile.lower import ladder, lower, redecided
from compile.network import Network
from compile.targets import CompileTarget
from compile.tuning.decisions import TUNING_LOGS, recorded_decisions
from deploy_rpc.board_spec import BoardSpec


def measure_ladder(
    network: Network, target: CompileTarget, board: BoardSpec, threads: int
) -> list[Row]:
    """A row for each level of `network` on `board`; tuned where there are records for it."""
    levels = ladder("fused", target.dtype, modelled=board.kind == "modelled")
    rungs = [lower(network, level, target, threads=threads) for level in levels]
    tuned = redecided(rungs[-1], recorded_decisions(TUNING_LOGS, target.core))
    if tuned.takes_records:
        rungs.append(tuned)
    linker = find_linker("auto", target)
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / f"{network.name}.so"
        build_library(rungs[-1], target, linker, library)
        _, latencies = examine(rungs, library, linker, board)
    has_stock = latencies[0].level == "stock"
    return [
        report_row(
            "fusion",
            target,
            network=network,
            engine=ENGINE,
            level=row.level,
            threads=threads,
            kind=row.kind,
            unit=row.unit,
            samples=row.samples,
            speedup_over_stock=latencies[0].median / row.median if has_stock else None,
            **({"note": row.note} if row.note else {}),
        )
        for row in latencies
    ]


def ladder_table(rows: Sequence[Row]) -> Table:
    """Of the rows that `measure_ladder` makes."""
    table = Table("model", "input", "level", "kind", caption=rows[0].get("note"))
    for column in ("threads", "median", "min", "max", "rounds", "over stock", "over row above"):
        table.add_column(column, justify="right")
    for above, row in zip([rows[0], *rows], rows, strict=False):
        samples = row["samples"]
        table.add_row(
            row["model"],
            row["input"],
            row["level"],
            row["kind"],
            str(row["threads"]),
            *(
                f"{value:.2f} {row['unit']}"
                for value in (row["median"], min(samples), max(samples))
            ),
            str(len(samples)),
            _ratio(row["speedup_over_stock"]),
            _ratio(above["median"] / row["median"] if above["model"] == row["model"] else None),
        )
    return table


def _ratio(value: float | None) -> str:
    return f"{value:.2f}x" if value else "-"
