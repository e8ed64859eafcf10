"""Blocks are priced as Zen 5 was measured to run them, and those of other models are left alone."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

import pytest

from deploy_rpc import wide_windows
from deploy_rpc.block_counts import Block
from deploy_rpc.block_prices import DISASSEMBLER, price_blocks, regions_of
from deploy_rpc.isa import X86_64, Code
from deploy_rpc.wide_windows import WAIT_CYCLES, stores_in_flight_for, together, wide_prices
from tests.needs import needs_cycle_model

RUNS = 10
NOP = (b"\x90",)
FMAS = [f"vfmadd231ps %ymm14, %ymm15, %ymm{i}" for i in range(12)]
LOADS = [f"vmovups {32 * i}(%rsi), %ymm{i % 12}" for i in range(16)]
FREE_LOADS = [f"vmovups {32 * i}(%rsi), %ymm13" for i in range(12)]
STORES = [f"vmovups %ymm{i % 12}, {32 * i}(%rdi)" for i in range(16)]
MASKED_STORES = [f"vmaskmovps %ymm15, %ymm14, {32 * i}(%rdi)" for i in range(8)]
TAKEN_APART = [f"vextractf128 $1, %ymm15, {16 * i}(%rdi)" for i in range(12)]
ADDITIONS = [f"addq $1, %r{8 + i % 8}" for i in range(24)]


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


def code_of(lines: Sequence[str]) -> Code:
    command = [DISASSEMBLER, f"-triple={X86_64.triple}", "--show-encoding"]
    done = subprocess.run(
        command, input="\n".join(lines), capture_output=True, text=True, check=True
    )
    encodings = re.findall(r"encoding: \[(.*)\]", done.stdout)
    return tuple(bytes(int(byte, 16) for byte in each.split(",")) for each in encodings)


def cycles(lines: Sequence[str], waiting_loads: int = 0) -> float:
    block = Block(0, RUNS, code_of(lines), waiting_loads=waiting_loads)
    ((_, price),) = wide_prices([block], "znver5", X86_64)
    return price.cycles


def cycles_of_a_loop(lines: Sequence[str], trips: int) -> float:
    """Of a round of `lines`, `trips` of them before another block runs."""
    body = code_of(lines)
    loop = (
        *body,
        b"\x75" + (-sum(map(len, body)) - 2).to_bytes(1, "little", signed=True),
    )  # jne, to the first of them
    runs = 1000 * trips
    blocks = Block(0, runs, loop), Block(sum(map(len, loop)), 1000, NOP)
    return next(iter(wide_prices(blocks, "znver5", X86_64)))[1].cycles


def beside(*kinds: Sequence[str]) -> list[str]:
    """One of each kind in turns, as long as they last."""
    longest = max(map(len, kinds))
    return [kind[i] for i in range(longest) for kind in kinds if i < len(kind)]


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
        pytest.param(beside(FMAS, FREE_LOADS, ADDITIONS), 6.04, id="as much to dispatch"),
        pytest.param(MASKED_STORES, 4.0, id="masked stores"),
        pytest.param(beside(FMAS, TAKEN_APART), 12.1, id="a store that takes a vector apart"),
    ],
)
def test_a_block_costs_what_it_took_on_zen_5(lines: list[str], measured: float) -> None:
    assert cycles(lines) == pytest.approx(measured, rel=0.06)


@needs_cycle_model
def test_what_a_block_waits_for_stores_comes_on_top() -> None:
    waiting = cycles(FMAS, waiting_loads=RUNS // 2)
    assert waiting == pytest.approx(cycles(FMAS) + WAIT_CYCLES / 2)


@needs_cycle_model
def test_a_loop_costs_less_where_it_is_left_soon() -> None:
    """Three rounds of one FMA and then another block, or thousands."""
    soon, late = (cycles_of_a_loop(FMAS[:1], trips) for trips in (3, 30_000))
    assert soon < 0.5 * late
    assert late == pytest.approx(4, rel=0.1)


@needs_cycle_model
def test_more_multiplications_than_wait_at_a_time_overlap_the_next_entry_in_part() -> None:
    soon, late = (cycles_of_a_loop(FMAS[:2] * 10, trips) for trips in (5, 3000))
    assert 10 < soon < 0.9 * late
    assert late == pytest.approx(10 * 4, rel=0.01)


@needs_cycle_model
@pytest.mark.parametrize(("trips", "measured"), [(2, 4.01), (4, 4.05), (8, 4.26), (64, 4.29)])
def test_chains_lose_pipes_only_where_the_next_entry_cannot_begin(
    trips: int, measured: float
) -> None:
    assert cycles_of_a_loop(FMAS[:8] * 2, trips) / 2 == pytest.approx(measured, rel=0.05)


@needs_cycle_model
def test_a_block_that_llvm_does_not_know_costs_nothing() -> None:
    blocks = [Block(0, RUNS, ()), Block(0, RUNS, code_of(FMAS))]
    unknown, known = (price.cycles for _, price in wide_prices(blocks, "znver5", X86_64))
    assert (unknown, known) == (0, cycles(FMAS))


@needs_cycle_model
def test_a_block_that_llvm_knows_in_part_costs_what_llvm_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without_the_last(*arguments: object) -> list[dict]:
        regions = regions_of(*arguments)
        for region in regions:
            region["InstructionInfoView"]["InstructionList"].pop()
        return regions

    code = code_of(FMAS[:1] * 8)
    by_llvm = price_blocks([code], "znver5", X86_64)[code]
    assert by_llvm.cycles > 30
    monkeypatch.setattr(wide_windows, "regions_of", without_the_last)
    ((_, price),) = wide_prices([Block(0, RUNS, code)], "znver5", X86_64)
    assert price == by_llvm


def test_pipes_and_chains_that_are_alike_take_longer_together() -> None:
    assert together(4, 4) == pytest.approx(4.45, rel=0.01)
    assert 4 < together(3, 4) == together(4, 3) < 4.12
    assert together(0, 4) == together(4, 0) == 4
    assert together(0, 0) == 0


def test_waits_of_other_models_are_not_asked_for() -> None:
    assert stores_in_flight_for("znver5") == 448
    assert [stores_in_flight_for(model) for model in ("znver3", "cortex-a57")] == [0, 0]
