"""Blocks are priced as Zen 5 was measured to run them, and those of other models are left alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from deploy_rpc.block_counts import Block
from deploy_rpc.block_prices import Price
from deploy_rpc.isa import X86_64
from deploy_rpc.wide_windows import WAIT_CYCLES, near, wide_prices
from tests.needs import needs_cycle_model

RUNS = 10
BACK = bytes.fromhex("75fd")  # jne -3, which jumps to the instruction before it
FMAS = [f"vfmadd231ps %ymm14, %ymm15, %ymm{i}" for i in range(12)]
LOADS = [f"vmovups {32 * i}(%rsi), %ymm{i % 12}" for i in range(16)]
STORES = [f"vmovups %ymm{i % 12}, {32 * i}(%rdi)" for i in range(16)]


def spilled(sums: int) -> list[str]:
    return [
        text
        for i in range(sums)
        for text in (
            f"vmovups {32 * i}(%rsp), %ymm{i}",
            f"vfmadd231ps %ymm14, %ymm15, %ymm{i}",
            f"vmovups %ymm{i}, {32 * i}(%rsp)",
        )
    ]


def block_of(lines: Sequence[str]) -> Block:
    return Block(0, RUNS, (b"\x90",) * len(lines))


def cycles(lines: Sequence[str], block: Block | None = None) -> float:
    price = Price(1e6, len(lines), tuple(lines))
    ((_, found),) = wide_prices([(block or block_of(lines), price)], "znver5", X86_64)
    return found.cycles


@needs_cycle_model
@pytest.mark.parametrize(
    ("lines", "measured"),
    [
        pytest.param(FMAS[:6] * 8, 8 * 4.01, id="six chains"),
        pytest.param(FMAS[:8] * 8, 8 * 4.45, id="eight chains, which lose some of the pipes"),
        pytest.param(FMAS[:10] * 8, 8 * 5.12, id="ten chains"),
        pytest.param(FMAS, 6.02, id="twelve chains"),
        pytest.param(LOADS, 8.0, id="loads"),
        pytest.param(STORES, 8.0, id="stores"),
        pytest.param([*FMAS[:8], *STORES[:8]], 4.3, id="FMAs beside stores"),
        pytest.param(spilled(8), 13.0, id="spilled sums"),
        pytest.param([*LOADS[:2], *FMAS[:2] * 27], 35.4, id="sums begun anew"),
    ],
)
def test_a_block_costs_what_it_took_on_zen_5(lines: list[str], measured: float) -> None:
    assert cycles(lines) == pytest.approx(measured, rel=0.06)


@needs_cycle_model
def test_what_a_block_waits_for_stores_comes_on_top() -> None:
    waiting = dataclasses.replace(block_of(FMAS), waiting_loads=RUNS // 2)
    assert cycles(FMAS, waiting) == pytest.approx(cycles(FMAS) + WAIT_CYCLES / 2)


@needs_cycle_model
def test_a_loop_costs_less_where_it_is_left_soon() -> None:
    """Three rounds of one FMA and then another block, or thousands."""
    loop = Price(1e6, 2, ("vfmadd231ps %ymm14, %ymm15, %ymm0", "jne -3"))
    other = Price(1e6, 1, ("nop",))
    runs, costs = 30_000, []
    for left in (runs // 3, 1):
        blocks = Block(0, runs, (b"\x90", BACK)), Block(3, left, (b"\x90",))
        priced = list(zip(blocks, (loop, other), strict=True))
        costs.append(wide_prices(priced, "znver5", X86_64)[0][1].cycles)
    soon, late = costs
    assert soon < 0.5 * late
    assert late == pytest.approx(4, rel=0.1)


@needs_cycle_model
def test_a_block_that_llvm_does_not_know_costs_nothing() -> None:
    priced = [(block_of(lines), Price(0, 0, tuple(lines))) for lines in ([], FMAS)]
    unknown, known = (price.cycles for _, price in wide_prices(priced, "znver5", X86_64))
    assert (unknown, known) == (0, cycles(FMAS))


def test_pipes_and_chains_that_are_alike_take_longer_together() -> None:
    assert near(4, 4) == pytest.approx(4.45 / 4, rel=0.01)
    assert near(3, 4) == near(4, 3) < 1.03
    assert near(0, 4) == near(4, 0) == 1
    assert near(0, 0) == 1


def test_prices_of_other_models_are_left_alone() -> None:
    priced = [(block_of(FMAS), Price(7.0, 12, tuple(FMAS)))]
    assert wide_prices(priced, "znver3", X86_64) == priced
