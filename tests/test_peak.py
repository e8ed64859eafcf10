"""The peak is the median of the best loop, in GFLOP/s of fused multiply-adds."""

from __future__ import annotations

import pytest

from bench.fma_loop import FmaLoop, fma_loops
from bench.peak import Peak, measured_peak, peak_of, peak_row, peak_table
from compile.targets import host_target, parse_target
from deploy_rpc.board_spec import BoardError


def test_a_multiply_add_is_two_operations() -> None:
    loop = FmaLoop(accumulators=8, lanes=4)
    peak = peak_of([loop], {loop.name: [1e-6] * 9}, "measured")
    assert peak.gflops == pytest.approx(2 * loop.macs / 1e-6 / 1e9)


def test_the_best_median_counts_and_not_the_best_sample() -> None:
    peak = Peak("measured", {8: [10.0, 10.0, 99.0], 12: [20.0, 21.0, 1.0], 16: [19.0] * 3})
    assert (peak.accumulators, peak.gflops, peak.samples) == (12, 20, [20, 21, 1])


def test_this_machines_peak_is_measured_with_every_loop_that_fits() -> None:
    target = host_target()
    peak = measured_peak(target)
    assert list(peak.candidates) == [loop.accumulators for loop in fma_loops(target)]
    assert all(len(samples) >= 9 for samples in peak.candidates.values())
    assert peak.gflops > 0
    row = peak_row(peak, target)
    assert (row["unit"], row["median"]) == ("GFLOP/s", peak.gflops)
    assert row["candidates"][str(row["accumulators"])] == peak.gflops
    assert peak_table([row]).row_count == 1


def test_another_machines_target_is_refused() -> None:
    x86 = '{"kind": "llvm", "mtriple": "x86_64-linux-gnu"}'
    foreign = "arm_cpu" if host_target().core.isa == "x86_64" else x86
    with pytest.raises(BoardError, match="measure on a board of the target's kind"):
        measured_peak(parse_target(foreign))
