"""The peak of one core, measured: the share of it that a kernel reaches is what is left to gain."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from bench.fma_loop import FmaLoop, fma_loops, fma_prim_func
from bench.kernel_timing import (
    TimedKernel,
    bench_session,
    calls_of_samples,
    load_kernels,
    samples_in_turns,
)
from bench.rows import Row, report_row
from compile.targets import CompileTarget
from deploy_rpc.board_spec import BoardSpec, parse_board


@dataclass(frozen=True)
class Peak:
    """Samples in GFLOP/s of each FMA loop, by its number of accumulators; the best one counts."""

    kind: str
    candidates: Mapping[int, Sequence[float]]

    @property
    def accumulators(self) -> int:
        """Of the loop with the best median."""
        return max(self.candidates, key=lambda count: statistics.median(self.candidates[count]))

    @property
    def samples(self) -> Sequence[float]:
        """Of the best loop, GFLOP/s."""
        return self.candidates[self.accumulators]

    @property
    def gflops(self) -> float:
        """The peak: the median of the best loop."""
        return statistics.median(self.samples)


def measured_peak_gflops(target: CompileTarget, board: BoardSpec | None = None) -> Peak:
    """The FMA peak of one core of `board`, by default this machine, in float32 GFLOP/s."""
    loops = fma_loops(target)
    with bench_session(board or parse_board("local"), target, threads=1) as session:
        loaded = load_kernels(session, peak_kernels(loops), target, threads=1)
        calls = calls_of_samples(loaded, [loop.name for loop in loops])
        samples = samples_in_turns(
            {name: functools.partial(loaded.time_s, name, calls=calls[name]) for name in calls}
        )
        return peak_of(loops, samples, session.kind_of_time)


def peak_kernels(loops: Sequence[FmaLoop]) -> dict[str, TimedKernel]:
    """The kernels of `loops`, by name."""
    return {loop.name: TimedKernel(fma_prim_func(loop), loop.shapes) for loop in loops}


def peak_of(loops: Sequence[FmaLoop], samples: Mapping[str, Sequence[float]], kind: str) -> Peak:
    """The peak that `samples`, the seconds of one call by kernel name, come to."""
    return Peak(
        kind,
        {
            loop.accumulators: [2e-9 * loop.macs / seconds for seconds in samples[loop.name]]
            for loop in loops
        },
    )


def peak_row(peak: Peak, target: CompileTarget) -> Row:
    """The report's row: the best loop's samples, and the medians of all that were tried."""
    return report_row(
        "peak",
        target,
        network=None,
        engine="FMA loop",
        level=None,
        threads=1,
        kind=peak.kind,
        unit="GFLOP/s",
        samples=peak.samples,
        accumulators=peak.accumulators,
        candidates={
            str(count): statistics.median(samples) for count, samples in peak.candidates.items()
        },
    )


def peak_table(rows: Sequence[Row]) -> Table:
    """Of one `peak_row`: what each number of accumulators reached."""
    (row,) = rows
    title = (
        f"FMA peak of one core, {row['kind']} on {row['core']}: {row['median']:.1f} {row['unit']} "
        f"({min(row['samples']):.1f} to {max(row['samples']):.1f} in {len(row['samples'])} rounds)"
    )
    table = Table("accumulators", title=title, title_justify="left")
    for count in row["candidates"]:
        table.add_column(count, justify="right")
    medians = (f"{median:.1f}" for median in row["candidates"].values())
    table.add_row(f"median {row['unit']}", *medians)
    return table
