"""What a block costs on a core that is wider and holds more than LLVM's model of it: Zen 5.

LLVM 19 takes Zen 5 for Zen 4, and has vectors that are loaded wait together with multiply-adds, 64
in all, so that chains which silicon overlaps are priced one behind the other. Here a block takes

    what its ports do      llvm-mca's reciprocal throughput, or `memory_ports` where that is more
    what its values do     a flow (`multiply_flow`) of 8 instructions a cycle, where that is more

and WAIT_CYCLES on top each time that loads wait for stores in flight, whichever block they are in,
counted as the program runs (`block_counts`). Where the multiply-adds of a block keep their pipes
busy for about as long as its chains take, both lose (`near`): pipes are given out too early.

Measured on Zen 5 (AMD EPYC, 2026-11-26), cycles, and what this model says:

    FMAs, begun anew by loads: 54 of one chain 65 (67), 108 of one 196 (197), 200 of one 519 (525),
    54 of two 35.4 (34.9), 135 of five 80 (78), 162 of six 94 (95)
    a step of chains without end: six 4.0 (4.1), seven 4.4 (4.2), eight 4.45 (4.45), nine 4.7 (4.8),
    ten 5.1 (5.2), twelve 6.0 (6.1)
    8 spilled sums 13.0 (13.0), 16 of them 15.5 (13.1)
    24 NOPs 3.1: 8 a cycle
    a store, and a load of half of it and as much beside: 14.0 a pair; 12 FMAs take 6.0, with a pair
    20.0; 48 take 24, with a pair 33. WAIT_CYCLES is what nothing hides.

The size of the reorder buffer is AMD's (Software Optimization Guide for the Zen 5, 58455).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from deploy_rpc.block_counts import Block
from deploy_rpc.block_prices import Price, regions_of
from deploy_rpc.isa import Isa
from deploy_rpc.memory_ports import VECTOR, busy_cycles
from deploy_rpc.memory_waits import Flow, Timing, reorder_buffer_of
from deploy_rpc.multiply_flow import MULTIPLY_PIPES, MultiplyFlow, Rounds
from deploy_rpc.operands import OPERATIONS

WIDE = ("znver5",)  # by LLVM's name of the model
DISPATCHED = 8
FOLDED_LOAD_CYCLES = 7  # of LLVM's latency of a multiply-add that loads
WAIT_CYCLES = 14
SHARPNESS = 6.5  # eight chains: 4 cycles of the pipes, 4 of latency, 4.45 together
MULTIPLIES = re.compile(r"vf?n?m(ul|add|sub)")

Priced = tuple[Block, Price]


def wide_prices(priced: Sequence[Priced], llvm_model: str, isa: Isa) -> list[Priced]:
    """`priced`, a program's blocks by address, as the core runs them.

    As they are where LLVM's model of the core is taken.
    """
    if llvm_model not in WIDE:
        return list(priced)
    options = ("-iterations=1", "-instruction-info=true", f"-dispatch={DISPATCHED}")
    texts = ["\n".join(_without_stores(price.disassembly, isa)) for _, price in priced]
    regions = {int(each["Name"]): each for each in regions_of(texts, llvm_model, isa, options)}
    trips = _trips([block for block, _ in priced])
    found = []
    for index, (block, price) in enumerate(priced):
        busy = busy_cycles(block, price.disassembly, llvm_model, isa) / block.executions
        waits = WAIT_CYCLES * block.waiting_loads / block.executions
        ports, latencies = _of_llvm(regions.get(index))
        values = 0.0
        if len(latencies) == len(price.disassembly) > 0:
            loops = isa.loops(block.code, price.disassembly[-1])
            flow = Rounds(loops, trips.get(block.address, 0) if loops else 0)
            timing = Timing(latencies, FOLDED_LOAD_CYCLES, DISPATCHED)
            values = _values(price.disassembly, timing, reorder_buffer_of(llvm_model), isa, flow)
        found.append((block, replace(price, cycles=max(ports, busy, values) + waits)))
    return found


def near(pipes: float, chain: float) -> float:
    """How many times longer multiply-adds take that keep the pipes busy for `pipes` cycles, where
    their chain takes `chain`, than the longer of the two.
    """
    shorter, longer = sorted((pipes, chain))
    return (1 + (shorter / longer) ** SHARPNESS) ** (1 / SHARPNESS) if longer else 1.0


def _values(
    listing: Sequence[str], timing: Timing, reorder_buffer: int, isa: Isa, rounds: Rounds
) -> float:
    """Cycles that the values of one round of a block take."""
    operations = [OPERATIONS[isa.name](line) for line in listing]
    multiplies = [MULTIPLIES.match(line) is not None for line in listing]
    flow = MultiplyFlow(operations, multiplies, timing, reorder_buffer, rounds)
    if not any(multiplies):
        return flow.cycles_of_a_round()
    chain = Flow(operations, timing, reorder_buffer, rounds.loops, blocks=False)
    pipes = sum(multiplies) / MULTIPLY_PIPES
    return flow.cycles_of_a_round() * near(pipes, chain.cycles_of_a_round())


def _of_llvm(region: dict | None) -> tuple[float, tuple[int, ...]]:
    """Cycles that the ports are busy, and each instruction's latency."""
    if region is None:
        return 0.0, ()
    infos = region["InstructionInfoView"]["InstructionList"]
    return region["SummaryView"]["BlockRThroughput"], tuple(info["Latency"] for info in infos)


def _without_stores(listing: Sequence[str], isa: Isa) -> list[str]:
    """Stores of vectors take a slot of the dispatch; their ports are `memory_ports`' business."""
    return [
        "nop" if line.startswith(VECTOR) and isa.stores.match(line) else line for line in listing
    ]


def _trips(blocks: Sequence[Block]) -> dict[int, int]:
    """How often each block runs before it is left for the one behind it, where that is known."""
    runs = {block.address: block.executions for block in blocks}
    behind = {block.address: block.address + sum(map(len, block.code)) for block in blocks}
    return {
        block.address: round(block.executions / left)
        for block in blocks
        if (left := runs.get(behind[block.address], block.executions)) < block.executions
    }
