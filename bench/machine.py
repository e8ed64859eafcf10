"""What the machine can do, measured in the same run as everything else: FMA peak and bandwidth.

The peak is taken before and after: where it moved, the machine's clock or its load moved too, and
so did every time in between.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from bench.bandwidth import READ_BYTES, READ_LOOP, read_prim_func
from bench.interval import median_interval
from bench.kernel_timing import bench_session, load_kernels, samples_in_turns
from bench.peak import measured_peak
from compile.targets import CompileTarget, TargetError
from deploy_rpc.board_spec import BoardSpec

READ_ROUNDS = 9


@contextlib.contextmanager
def measured_machine(
    target: CompileTarget, board: BoardSpec, context: dict[str, Any]
) -> Iterator[None]:
    """Writes into `context["machine"]` what one core of `board` reaches around the block.

    `peak` and `peak_after` in GFLOP/s, `bandwidth` in GB/s, each with samples and interval.
    A target without fused multiply-adds has no peak.
    """
    machine = context["machine"] = {"bandwidth": bandwidth(target, board)}
    try:
        machine["peak"] = _peak(target, board)
    except TargetError as error:
        print(f"no peak: {error}")
    yield
    if "peak" in machine:
        machine["peak_after"] = _peak(target, board)


def bandwidth(target: CompileTarget, board: BoardSpec) -> dict[str, Any]:
    """GB/s at which one core of `board` reads memory."""
    kernels = {READ_LOOP: read_prim_func(target)}
    with bench_session(board, target, threads=1) as session:
        loaded = load_kernels(session, kernels, target, threads=1)
        sample = {READ_LOOP: functools.partial(loaded.time_s, READ_LOOP, calls=1)}
        seconds = samples_in_turns(sample, READ_ROUNDS)[READ_LOOP]
    return _quantity("GB/s", [READ_BYTES / 1e9 / second for second in seconds])


def _peak(target: CompileTarget, board: BoardSpec) -> dict[str, Any]:
    """Of float32, whatever `target` computes in: it tells how fast the machine is."""
    in_float32 = dataclasses.replace(target, dtype="float32")
    return _quantity("GFLOP/s", measured_peak(in_float32, board).samples)


def _quantity(unit: str, samples: Sequence[float]) -> dict[str, Any]:
    return {
        "unit": unit,
        "median": statistics.median(samples),
        "interval": median_interval(samples),
        "samples": list(samples),
    }
