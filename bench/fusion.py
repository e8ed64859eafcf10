"""The ladder: every level of one network, timed in turns in one run, outputs verified first.

TVM's runtime, which level stock needs, is part of this process, so the levels share one, and no
process of their own; all else is as in `bench/turns.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from bench.our_networks import modelled_core, our_row, time_in_session
from bench.rows import Row
from compile.examine import examine
from compile.library import build_library
from compile.link import find_linker
from compile.lower import Lowered, ladder, lower, redecided
from compile.network import Network
from compile.targets import CompileTarget
from compile.tuning.decisions import TUNING_LOGS, recorded_decisions
from deploy_rpc.board_spec import BoardSpec
from model.cli import phase


def measure_ladder(
    network: Network, target: CompileTarget, board: BoardSpec, threads: int, rounds: int
) -> list[Row]:
    """A row for each level of `network` on `board`; tuned where there are records for it."""
    levels = ladder("fused", target.dtype, modelled=board.kind == "modelled")
    rungs = [lower(network, level, target, threads=threads) for level in levels]
    tuned = redecided(rungs[-1], recorded_decisions(TUNING_LOGS, target.core))
    if tuned.takes_records:
        rungs.append(tuned)
    with tempfile.TemporaryDirectory(prefix="ladder-") as folder:
        rows = (
            _modelled(network, rungs, target, board, Path(folder))
            if board.kind == "modelled"
            else _measured(rungs, target, board, rounds, Path(folder))
        )
    stock = rows[0]["median"] if rows[0]["level"] == "stock" else None
    return [row | {"speedup_over_stock": stock and stock / row["median"]} for row in rows]


def _measured(
    rungs: Sequence[Lowered],
    target: CompileTarget,
    board: BoardSpec,
    rounds: int,
    folder: Path,
) -> list[Row]:
    libraries = {rung.level: folder / f"{rung.level}.so" for rung in rungs}
    linker = find_linker("auto", target)
    with phase(f"build {', '.join(libraries)}"):
        for rung in rungs:
            build_library(rung, target, linker, libraries[rung.level])
    by_level = {rung.level: rung for rung in rungs}
    timings = time_in_session(by_level, libraries, board, rounds)
    return [
        our_row(
            "fusion",
            by_level[level],
            "measured",
            "ms",
            timing.samples_ms,
            calls_per_sample=timing.calls,
        )
        for level, timing in timings.items()
    ]


def _modelled(
    network: Network,
    rungs: Sequence[Lowered],
    target: CompileTarget,
    board: BoardSpec,
    folder: Path,
) -> list[Row]:
    library, linker = folder / f"{network.name}.so", find_linker("auto", target)
    build_library(rungs[-1], target, linker, library)
    _, latencies = examine(rungs, library, linker, board)
    by_level = {rung.level: rung for rung in rungs}
    core = modelled_core(target, board)
    return [
        our_row("fusion", by_level[each.level], each.kind, each.unit, each.samples, core)
        | ({"note": each.note} if each.note else {})
        for each in latencies
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
