"""Multiplications begin two at a time, and few of them wait for their values."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from deploy_rpc.memory_waits import Timing
from deploy_rpc.multiply_flow import MultiplyFlow, Rounds
from deploy_rpc.operands import x86_operation

LOAD, FMA = 8, 4  # cycles


def cycles(chains: int, length: int, *, anew: bool, trips: int = 0) -> float:
    """Of a round of FMAs in `chains`, `length` each, which loads begin anew or `trips` rounds."""
    loads = [f"vmovups {32 * i}(%rsi), %ymm{i}" for i in range(chains)] if anew else []
    sums = [f"vfmadd231ps %ymm14, %ymm15, %ymm{i % chains}" for i in range(chains * length)]
    latencies = (*[LOAD] * len(loads), *[FMA] * len(sums))
    multiplies = [*[False] * len(loads), *[True] * len(sums)]
    operations = [x86_operation(text) for text in (*loads, *sums)]
    timing = Timing(latencies, LOAD, width=8)
    return MultiplyFlow(
        operations, multiplies, timing, 448, Rounds(True, trips)
    ).cycles_of_a_round()


@pytest.mark.parametrize(("chains", "a_step"), [(1, 4), (4, 4), (8, 4), (10, 5), (12, 6)])
def test_chains_wait_for_themselves_or_for_the_pipes(chains: int, a_step: float) -> None:
    assert cycles(chains, 8, anew=False) / 8 == pytest.approx(a_step, rel=0.01)


@pytest.mark.parametrize(
    ("chains", "length", "measured"),
    [(1, 54, 65.3), (1, 108, 196.0), (1, 200, 519.4), (2, 27, 35.4), (5, 27, 80.5), (6, 27, 94.1)],
)
def test_chains_begun_anew_overlap_as_in_silicon(chains: int, length: int, measured: float) -> None:
    """Measured on Zen 5."""
    assert cycles(chains, length, anew=True) == pytest.approx(measured, rel=0.05)


def test_a_loop_that_is_entered_anew_goes_on_before_its_sums_are_there() -> None:
    endless = cycles(2, 9, anew=False)
    short = cycles(2, 9, anew=False, trips=3)
    assert endless == pytest.approx(9 * FMA, rel=0.01)
    assert 9 < short < 0.6 * endless  # 9 is what the pipes take
    long = cycles(2, 9, anew=False, trips=100)
    assert 0.9 * endless < long < endless


def test_other_instructions_do_not_wait_for_the_pipes() -> None:
    texts: Sequence[str] = [f"vaddps %ymm14, %ymm15, %ymm{i}" for i in range(12)]
    operations = [x86_operation(text) for text in texts]
    timing = Timing((3,) * len(texts), LOAD, width=8)
    flow = MultiplyFlow(operations, [False] * len(texts), timing, 448, Rounds(True, 0))
    assert flow.cycles_of_a_round() == pytest.approx(12 / 8, rel=0.01)
