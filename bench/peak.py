"""The peak of one core, measured: the share of it that a kernel reaches is what is left to gain."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table
from tvm import tirx

from bench.fma_loop import FmaLoop, fma_loops, fma_prim_func
from bench.kernel_timing import (
    bench_session,
    calls_of_samples,
    load_kernels,
    timed_in_turns,
)
from bench.product_loop import ProductLoop, product_loops, product_prim_func
from bench.rows import Row, report_row
from compile.targets import CompileTarget
from deploy_rpc.board_spec import BoardSpec, parse_board

Loop = FmaLoop | ProductLoop


@dataclass(frozen=True)
class Peak:
    """Samples in GFLOP/s of each loop, by its number of accumulators; the best one counts.

    `of_int8` are billions of operations on whole numbers instead.
    """

    kind: str
    candidates: Mapping[int, Sequence[float]]
    of_int8: bool = False

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


def measured_peak(target: CompileTarget, board: BoardSpec | None = None) -> Peak:
    """The peak of one core of `board`, by default this machine, in float32 or int8."""
    loops = peak_loops(target)
    with bench_session(board or parse_board("local"), target, threads=1) as session:
        loaded = load_kernels(session, peak_kernels(loops), target, threads=1)
        time_s = {loop.name: functools.partial(loaded.time_s, loop.name) for loop in loops}
        samples = timed_in_turns(time_s, calls_of_samples(time_s))
        return peak_of(loops, samples, session.kind_of_time)


def peak_loops(target: CompileTarget) -> tuple[Loop, ...]:
    """What is tried for the peak: int8 has products of its own, all else is float32's."""
    return product_loops(target) if target.dtype == "int8" else fma_loops(target)


def peak_kernels(loops: Sequence[Loop]) -> dict[str, tirx.PrimFunc]:
    """The kernels of `loops`, by name."""
    return {
        loop.name: (fma_prim_func if isinstance(loop, FmaLoop) else product_prim_func)(loop)
        for loop in loops
    }


def peak_of(loops: Sequence[Loop], samples: Mapping[str, Sequence[float]], kind: str) -> Peak:
    """The peak that `samples`, the seconds of one call by kernel name, come to."""
    return Peak(
        kind,
        {
            loop.accumulators: [2e-9 * loop.macs / seconds for seconds in samples[loop.name]]
            for loop in loops
        },
        of_int8=not isinstance(loops[0], FmaLoop),
    )


def peak_row(peak: Peak, target: CompileTarget) -> Row:
    """The report's row: the best loop's samples, and the medians of all that were tried."""
    return report_row(
        "peak",
        target,
        network=None,
        engine="int8 loop" if peak.of_int8 else "FMA loop",
        level=None,
        threads=1,
        kind=peak.kind,
        unit="GOP/s" if peak.of_int8 else "GFLOP/s",
        samples=peak.samples,
        accumulators=peak.accumulators,
        candidates={
            str(count): statistics.median(samples) for count, samples in peak.candidates.items()
        },
    )


def peak_table(rows: Sequence[Row]) -> Table:
    """Of one `peak_row`: what each number of accumulators reached."""
    (row,) = rows
    samples = row["samples"]
    title = (
        f"{row['engine']}: peak of one core, {row['kind']} on {row['core']}: {row['median']:.1f} "
        f"{row['unit']} ({min(samples):.1f} to {max(samples):.1f} in {len(samples)} rounds)"
    )
    table = Table("accumulators", title=title, title_justify="left")
    for count in row["candidates"]:
        table.add_column(count, justify="right")
    medians = (f"{median:.1f}" for median in row["candidates"].values())
    table.add_row(f"median {row['unit']}", *medians)
    return table
