"""Modelled cycles of a program, where no core is at hand: counted under QEMU, priced by LLVM.

    cycles = sum over basic blocks of executions x llvm-mca's price of one execution

with what the block waits for its own stores (`memory_waits`), or what its loads and stores take at
least, where that is more (`memory_ports`). On Zen 5 LLVM's latencies and ports alone are taken, in
a window as it was measured (`wide_windows`).
Deterministic to the last digit. It leaves out cache and TLB misses, memory and mispredicted
branches; the simulated misses stand beside it. Where the truth can be measured, on x86 with the
same tools, it ranked 40 schedules of a kernel as their times do (rank correlation 0.92 to 0.99 of
all kernels but one, of which 0.80: `bench/run.py model-check`). Never checked on ARM silicon: say
"modelled cycles, CORE, one thread", and never a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deploy_rpc.block_counts import Block, count_blocks, missing_counting_tools
from deploy_rpc.block_prices import Price, missing_pricing_tools, price_blocks
from deploy_rpc.core_models import llvm_model, model_doubts
from deploy_rpc.cores import Core
from deploy_rpc.isa import AARCH64, Isa, isa_called
from deploy_rpc.memory_ports import busy_cycles
from deploy_rpc.wide_windows import WIDE, stores_in_flight_for, wide_prices

HOTTEST = 10


@dataclass(frozen=True)
class HotBlock:
    """A block that costs much: `cycles` of all its executions together."""

    address: int
    executions: int
    cycles: float
    disassembly: tuple[str, ...]


@dataclass(frozen=True)
class CycleReport:
    """Modelled, one thread, of `core` by LLVM's model `llvm_model`.

    `loads` and `stores` are instructions, the misses those of the simulated data caches, `coverage`
    the share of the executed instructions that the model could price, `hottest` the dearest first,
    `doubts` what is published of the core and contradicts its model (`core_models`).
    """

    core: str
    llvm_model: str
    cycles: float
    instructions: int
    loads: int
    stores: int
    l1_misses: int
    l2_misses: int
    coverage: float
    hottest: tuple[HotBlock, ...]
    doubts: tuple[str, ...]


def missing_modelling_tools(isa: Isa = AARCH64) -> list[str]:
    """What to install before cycles of `isa` can be modelled, a sentence each; maybe nothing."""
    return [*missing_counting_tools(isa), *missing_pricing_tools()]


def modelled_cycles(
    program: Path,
    arguments: Sequence[str],
    core: Core,
    *,
    sysroot: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> CycleReport:
    """The modelled cost of the marked region of `program`, as `count_blocks` takes it.

    Raises `CoreModelError` for a core without a believable model, `ProgramError`, `CountError` and
    `PriceError` where tools are missing or fail.
    """
    model, isa = llvm_model(core), isa_called(core.isa)
    counts = count_blocks(
        program,
        arguments,
        core,
        sysroot=sysroot,
        environment=environment,
        in_flight=stores_in_flight_for(model),
    )
    prices = wide_prices if model in WIDE else _prices
    priced = list(prices(counts.blocks, model, isa))
    instructions = sum(block.executions * block.instructions for block, _ in priced)
    return CycleReport(
        core=core.name,
        llvm_model=model,
        cycles=sum(block.executions * price.cycles for block, price in priced),
        instructions=instructions,
        loads=_executed(priced, isa.loads),
        stores=_executed(priced, isa.stores),
        l1_misses=counts.l1_misses,
        l2_misses=counts.l2_misses,
        coverage=sum(block.executions * price.priced for block, price in priced) / instructions,
        hottest=tuple(_hottest(priced)),
        doubts=model_doubts(core),
    )


def _prices(blocks: Sequence[Block], model: str, isa: Isa) -> Iterator[tuple[Block, Price]]:
    prices = price_blocks((block.code for block in blocks), model, isa)
    for block in blocks:
        price = prices[block.code]
        busy = busy_cycles(block, price.disassembly, model, isa) / block.executions
        yield block, replace(price, cycles=max(price.cycles, busy))


def _executed(priced: list[tuple[Block, Price]], pattern: re.Pattern[str]) -> int:
    """Executed instructions whose text begins with a match of `pattern`."""
    return sum(
        block.executions * sum(pattern.match(line) is not None for line in price.disassembly)
        for block, price in priced
    )


def _hottest(priced: list[tuple[Block, Price]]) -> list[HotBlock]:
    hot = [
        HotBlock(block.address, runs := block.executions, runs * price.cycles, price.disassembly)
        for block, price in priced
    ]
    return sorted(hot, key=lambda block: (-block.cycles, block.address))[:HOTTEST]
