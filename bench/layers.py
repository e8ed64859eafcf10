"""Where the time of one network goes: a row for each kernel, and how near each is to the peak."""

from __future__ import annotations

import functools
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from bench.kernel_timing import (
    ROUNDS,
    bench_session,
    calls_of_samples,
    load_kernels,
    timed_in_turns,
)
from bench.our_networks import our_library, our_row
from bench.peak import Peak, peak_kernels, peak_loops, peak_of, peak_row
from bench.rows import Row
from compile.kernels import Kernel
from compile.lower import Lowered, lower
from compile.network import Network
from compile.targets import CompileTarget
from compile.tuning.decisions import TUNING_LOGS, recorded_decisions
from compile.verify import verify
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.session import LoadedModule, Session
from model.cli import phase

# Of kernels, loops and the network alike. A loop of 1 ms between inferences reaches 1 % more than
# one of 9 ms does, which no network can keep up either (EPYC, Zen 5, 2026-11-27).
SAMPLE_S = 10e-3
NETWORK = "the network"  # its name among the kernels that are timed; no PrimFunc has blanks in it
TOTAL = "total"


@dataclass(frozen=True)
class LayerTimes:
    """What one run measured: seconds of one call by kernel name, and calls in a sample."""

    kind: str
    peak: Peak
    network_s: Sequence[float]
    kernels_s: Mapping[str, Sequence[float]]
    calls: Mapping[str, int]


def measure_layers(
    network: Network,
    level: str,
    target: CompileTarget,
    board: BoardSpec,
    threads: int,
    rounds: int = ROUNDS,
) -> list[Row]:
    """The core's peak, a row for each kernel of `network`, and their total, last.

    All are timed in turns in one run, the network's output is verified first. A kernel that is
    called with several constants is timed once, on values of its own, in cache.
    """
    with phase(f"lower to {level}"):
        decisions = recorded_decisions(TUNING_LOGS, target.core)
        lowered = lower(network, level, target, threads=threads, decisions=decisions)
    with bench_session(board, target, threads) as session:
        times = _measure(session, lowered, rounds)
    return layer_rows(lowered, times)


def layer_rows(lowered: Lowered, times: LayerTimes) -> list[Row]:
    """The rows that `times` come to."""
    kernels = [_kernel_row(lowered, times, kernel) for kernel in lowered.kernels]
    return [peak_row(times.peak, lowered.target), *kernels, _total_row(lowered, times, kernels)]


def _measure(session: Session, lowered: Lowered, rounds: int) -> LayerTimes:
    target, threads = lowered.target, lowered.threads
    loops = peak_loops(target)
    kernels = {kernel.name: lowered.module[kernel.name] for kernel in lowered.kernels}
    with phase("build, load and verify the network"):
        module = _load_network(session, lowered)
    with phase(f"build {len(kernels)} kernels, and count the calls of a sample"):
        timed = load_kernels(session, kernels | peak_kernels(loops), target, threads)
        time_s = {
            name: functools.partial(timed.time_s, name)
            for name in (*kernels, *(loop.name for loop in loops))
        }
        time_s[NETWORK] = functools.partial(_network_s, module, lowered.network.example_input())
        calls = calls_of_samples(time_s, SAMPLE_S)
    samples = timed_in_turns(time_s, calls, rounds)
    kind = session.kind_of_time
    return LayerTimes(kind, peak_of(loops, samples, kind), samples[NETWORK], samples, calls)


def _network_s(module: LoadedModule, x: np.ndarray, calls: int) -> float:
    """Seconds of one inference, the mean of `calls`."""
    return 1e-3 * module.mean_ms(x, runs=calls)


def _load_network(session: Session, lowered: Lowered) -> LoadedModule:
    network, target = lowered.network, lowered.target
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "network.so"
        our_library(lowered, library)
        module = session.load(library, output_shapes=network.output_shapes, threads=lowered.threads)
    expected = network.references(network.example_input())
    where = f"board {session.spec}"
    verify(module, network, expected, level=lowered.level, where=where, dtype=target.dtype)
    return module


def _kernel_row(lowered: Lowered, times: LayerTimes, kernel: Kernel) -> Row:
    samples_us = [1e6 * seconds for seconds in times.kernels_s[kernel.name]]
    row = _row(lowered, times, samples_us, macs=kernel.macs)
    return row | {
        "kernel": kernel.name,
        "workload": kernel.workload,
        "calls": kernel.calls,
        "bytes": kernel.bytes,
        "network_share": kernel.calls * row["median"] * 1e-6 / statistics.median(times.network_s),
        "source": kernel.source,
        "calls_per_sample": times.calls[kernel.name],
    }


def _total_row(lowered: Lowered, times: LayerTimes, kernels: Sequence[Row]) -> Row:
    """The measured time of the whole network, with the sum of its kernels' times beside it."""
    row = _row(lowered, times, [1e6 * seconds for seconds in times.network_s], macs=lowered.macs)
    sum_us = sum(kernel["calls"] * kernel["median"] for kernel in kernels)
    return row | {
        "kernel": TOTAL,
        "workload": f"{lowered.network.name} in one run",
        "calls": sum(kernel["calls"] for kernel in kernels),
        "bytes": sum(kernel["calls"] * kernel["bytes"] for kernel in kernels),
        "network_share": sum_us / row["median"],
        "source": lowered.level,
        "calls_per_sample": times.calls[NETWORK],
        "sum_of_kernels": sum_us,
    }


def _row(lowered: Lowered, times: LayerTimes, samples_us: Sequence[float], macs: int) -> Row:
    row = our_row("layers", lowered, times.kind, "us", samples_us)
    gflops = 2e-3 * macs / row["median"]
    peak_share = gflops / (times.peak.gflops * lowered.threads)
    of = {"dtype": lowered.target.dtype, "macs": macs}
    return row | of | {"gflops": gflops, "peak_share": peak_share}


def layers_table(rows: Sequence[Row]) -> Table:
    """Of the rows that `measure_layers` makes of one network."""
    total = rows[-1]
    table = Table(
        title=f"{total['model']}, {total['input']}, {total['level']}, {total['threads']} "
        f"thread(s), {total['kind']} on {total['core']}: median of {len(total['samples'])} rounds",
        title_justify="left",
    )
    table.add_column("kernel", no_wrap=True)
    table.add_column("workload", overflow="fold", min_width=12)
    rate = "GOP/s" if total["dtype"] == "int8" else "GFLOP/s"
    for column in ("calls", "M MACs", "us", rate, "of peak", "KiB", "of network"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("schedule")
    for row in rows:
        if row is total:
            table.add_section()
        table.add_row(*_cells(row))
    table.caption = (
        f"the kernels' times add up to {total['sum_of_kernels']:.1f} us of the "
        f"{total['median']:.1f} us that the network takes; KiB: all buffers of a call, once"
    )
    return table


def _cells(row: Row) -> tuple[str, ...]:
    computes = row["macs"] > 0
    return (
        row["kernel"],
        row["workload"],
        str(row["calls"]),
        f"{row['macs'] / 1e6:.2f}",
        f"{row['median']:.2f}",
        f"{row['gflops']:.1f}" if computes else "-",
        f"{row['peak_share']:.1%}" if computes else "-",
        f"{row['bytes'] / 1024:.0f}",
        f"{row['network_share']:.1%}",
        row["source"],
    )
