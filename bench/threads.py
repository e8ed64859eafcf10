"""One network on 1, 2, ... N threads, timed in turns or modelled: speedup, and the same bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from bench.bits import same_bits
from bench.limited import EngineError
from bench.our_networks import modelled_core, modelled_inference, our_row, time_ours
from bench.rows import Row
from compile.lower import lower
from compile.network import Network
from compile.price_network import OF_SEVERAL_THREADS, price_network
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
        our_row(
            "threads",
            rungs[threads],
            "measured",
            "ms",
            timing.samples_ms,
            macs=rungs[threads].macs,
            memory_bytes=timing.memory_bytes,
            speedup=one.median_ms / timing.median_ms,
            same_bits=True,
        )
        for threads, timing in timings.items()
    ]


def model_threads(
    network: Network, level: str, target: CompileTarget, board: BoardSpec, most: int
) -> list[Row]:
    """The same in modelled cycles: the sum over the kernels, of one thread, too.

    Raises `EngineError` as `measure_threads` does.
    """
    core = modelled_core(target, board)
    decisions = recorded_decisions(TUNING_LOGS, target.core)
    outputs, rows = {}, []
    for threads in range(1, most + 1):
        with phase(f"model {network.name} on {core.name}, {threads} thread(s)"):
            lowered = lower(network, level, target, threads=threads, decisions=decisions)
            price = price_network(lowered, core)
            _, outputs[threads] = modelled_inference(lowered, core, price)
        check_same_bits(outputs[1], outputs[threads], f"{network.name} on {threads} threads")
        row = our_row(
            "threads",
            lowered,
            "modelled",
            "Mcycles",
            [price.cycles / 1e6],
            core=core,
            macs=lowered.macs,
            same_bits=True,
            llvm_model=price.whole.llvm_model,
            note=OF_SEVERAL_THREADS,
        )
        rows.append(row)
    one = rows[0]["median"]
    return [row | {"speedup": one / row["median"]} for row in rows]


def check_same_bits(one: np.ndarray, other: np.ndarray, what: str) -> None:
    """Raises `EngineError` where the outputs differ in any bit."""
    if not same_bits([one], [other]):
        largest = float(np.abs(one - other).max())
        raise EngineError(
            f"{what} does not answer as one thread does, to the last bit: they differ by up to "
            f"{largest:.3g}"
        )


def threads_table(rows: Sequence[Row]) -> Table:
    """Of the rows that `measure_threads` or `model_threads` makes."""
    modelled = rows[0]["kind"] == "modelled"
    title = f"modelled cycles, {rows[0]['core']}" if modelled else None
    table = Table("model", "input", "level", title=title, caption=rows[0].get("note"))
    for column in ("threads", "median", "95 % interval", "over one thread", "of the ideal", "bits"):
        table.add_column(column, justify="right")
    for row in rows:
        interval = "{:.3f} to {:.3f}".format(*row["interval"]) if row["interval"] else "-"
        table.add_row(
            row["model"],
            row["input"],
            row["level"],
            str(row["threads"]),
            f"{row['median']:.3f} {row['unit']}",
            interval,
            f"{row['speedup']:.2f}x",
            f"{row['speedup'] / row['threads']:.0%}",
            "the same" if row["same_bits"] else "differ",
        )
    return table
