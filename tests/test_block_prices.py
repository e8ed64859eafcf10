"""Prices of blocks are LLVM's, looked up once, and say what they do not cover."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy_rpc import block_prices
from deploy_rpc.block_prices import PriceError, price_blocks, price_text
from deploy_rpc.isa import AARCH64, X86_64
from tests.needs import needs_cycle_model

FMLA = (bytes.fromhex("c0cf3f4e"),)  # fmla v0.4s, v30.4s, v31.4s
NONSENSE = (bytes.fromhex("ffffffff"),)


@needs_cycle_model
@pytest.mark.parametrize(("llvm_cpu", "cycles"), [("cortex-a72", 16), ("neoverse-n1", 8)])
def test_sixteen_independent_fmlas_take_as_long_as_in_silicon(llvm_cpu: str, cycles: int) -> None:
    """One a cycle on A72, two on N1: the Software Optimization Guides' throughputs."""
    text = "\n".join(f"fmla v{i}.4s, v30.4s, v31.s[0]" for i in range(16))
    assert price_text([text], llvm_cpu) == [pytest.approx(cycles, rel=0.01)]


@needs_cycle_model
def test_a_block_is_disassembled_and_priced() -> None:
    price = price_blocks([FMLA * 4], "cortex-a72")[FMLA * 4]
    assert price.disassembly == ("fmla v0.4s, v30.4s, v31.4s",) * 4
    assert price.priced == 4
    assert price.cycles > 8  # they wait for each other


@needs_cycle_model
def test_what_llvm_cannot_read_is_not_counted_as_priced() -> None:
    blocks = [FMLA + NONSENSE, NONSENSE]
    prices = price_blocks(blocks, "cortex-a72")
    assert [prices[block].priced for block in blocks] == [1, 0]
    assert prices[NONSENSE].cycles == 0


@needs_cycle_model
def test_each_block_is_priced_once_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []
    run = block_prices._run
    monkeypatch.setattr(
        block_prices, "_run", lambda words, text: commands.append(words[0]) or run(words, text)
    )
    blocks = [FMLA * count for count in (21, 22, 23)]
    first = price_blocks(blocks, "cortex-a72")
    assert price_blocks(blocks[::-1], "cortex-a72") == first
    assert commands == [block_prices.DISASSEMBLER, block_prices.ANALYSER]


def test_missing_tools_are_named_with_their_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PriceError, match=r"llvm-mc-19 is not on the PATH .*install llvm-19"):
        price_text(["nop"], "cortex-a72")


@needs_cycle_model
def test_a_spilled_sum_costs_its_way_through_memory_on_both_kinds_of_core() -> None:
    """ldr q0, [sp, #32]; fadd v0.4s, v0.4s, v1.4s; str q0, [sp, #32], and the same for AVX."""
    arm = tuple(map(bytes.fromhex, ("e00bc03d", "00d4214e", "e00b803d")))
    x86 = tuple(map(bytes.fromhex, ("c5fc10442420", "c5fc58c1", "c5fc11442420")))
    assert price_blocks([arm], "cortex-a72")[arm].cycles == pytest.approx(11, abs=1)
    assert price_blocks([x86], "znver3", X86_64)[x86].cycles == pytest.approx(12, abs=1)


def test_a_block_that_jumps_to_its_own_beginning_is_a_loop() -> None:
    add, back = bytes.fromhex("4883c001"), bytes.fromhex("75fa")
    assert X86_64.loops((add, back), "jne -6")
    assert not X86_64.loops((add, back), "jne -5")
    word = bytes.fromhex("08000091"), bytes.fromhex("e1ffff54")
    assert AARCH64.loops(word, "b.ne #-4")
    assert not AARCH64.loops(word, "b.ne #-8")
