"""One network on 1, 2, ... N threads, timed in turns: speedup, and the same bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from bench.engines import EngineError
from bench.our_networks import time_ours
from bench.rows import ENGINE, Row, report_row
from compile.lower import lower
from compile.network import Network
from compile.targets import CompileTarget
from compile.tuning.decisions import TUNING_LOGS, recorded_decisions
from deploy_rpc.board_spec import BoardSpec
from model.cli import phase


def measure_threads(
    network: Network,
    level: str,
    target: CompileTarget,
    board: BoardSpec,
    most: int,
    rounds: int,
) -> list[Row]:
    """A row for each number of threads up to `most`, each built for it and kept to as many cores.

    Raises `EngineError` where an output is not, bit for bit, that of one thread.
    """
    decisions = recorded_decisions(TUNING_LOGS, target.core)
    with phase(f"lower {network.name} to {level} for 1 to {most} threads"):
        rungs = {
            str(threads): lower(network, level, target, threads=threads, decisions=decisions)
            for threads in range(1, most + 1)
        }
    timings = time_ours(rungs, board, rounds)
    one = timings["1"]
    for threads, timing in timings.items():
        check_same_bits(one.output, timing.output, f"{network.name} on {threads} threads")
    return [
        report_row(
            "threads",
            target,
            network=network,
            engine=ENGINE,
            level=level,
            threads=int(threads),
            kind="measured",
            unit="ms",
            samples=timing.samples_ms,
            macs=rungs[threads].macs,
            memory_bytes=timing.memory_bytes,
            speedup=one.median_ms / timing.median_ms,
            same_bits=True,
        )
        for threads, timing in timings.items()
    ]


def check_same_bits(one: np.ndarray, other: np.ndarray, what: str) -> None:
    """Raises `EngineError` where the outputs differ in any bit."""
    if one.tobytes() != other.tobytes():
        largest = float(np.abs(one - other).max())
        raise EngineError(
            f"{what} does not answer as one thread does, to the last bit: they differ by up to "
            f"{largest:.3g}"
        )


def threads_table(rows: Sequence[Row]) -> Table:
    """Of the rows that `measure_threads` makes."""
    table = Table("model", "input", "level")
    for column in ("threads", "median", "95 % interval", "over one thread", "of the ideal", "bits"):
        table.add_column(column, justify="right")
    for row in rows:
        low, high = row["interval"]
        table.add_row(
            row["model"],
            row["input"],
            row["level"],
            str(row["threads"]),
            f"{row['median']:.3f} ms",
            f"{low:.3f} to {high:.3f}",
            f"{row['speedup']:.2f}x",
            f"{row['speedup'] / row['threads']:.0%}",
            "the same" if row["same_bits"] else "differ",
        )
    return table
