"""What a block costs on a core that is wider and holds more than LLVM's model of it: Zen 5.

LLVM 19 takes Zen 5 for Zen 4, and has vectors that are loaded wait together with multiply-adds, 64
in all, so that chains which silicon overlaps are priced one behind the other. Here a block takes

    what its ports do      llvm-mca's reciprocal throughput, or `memory_ports` where that is more
    what its values do     a flow (`multiply_flow`) of 8 instructions a cycle, where that is more

and WAIT_CYCLES on top each time that loads wait for stores in flight, whichever block they are in,
counted as the program runs (`block_counts`). Where the multiply-adds of a block keep their pipes
busy for about as long as its chains take, both lose (`together`): pipes are given out too early.

Measured on Zen 5 (AMD EPYC, 2026-11-26), cycles, and what this model says:

    FMAs, begun anew by loads: 54 of one chain 65 (65), 108 of one 196 (197), 200 of one 519 (525),
    54 of two 35.4 (34.6), 135 of five 80 (78), 162 of six 94 (95)
    a step of chains without end: six 4.0 (4.1), seven 4.4 (4.2), eight 4.45 (4.45), nine 4.7 (4.8),
    ten 5.1 (5.2), twelve 6.0 (6.1)
    a step of eight that begin anew each 2, 4, 8, 64 rounds of 16 FMAs: 4.0 (4.0), 4.05 (4.0), 4.3
    (4.45), 4.3 (4.45)
    8 spilled sums 13.0 (13.0), 16 of them 15.5 (13.1)
    24 NOPs 3.1: 8 a cycle; 12 FMAs, 12 loads and 24 additions, as long as dispatch as in the pipes,
    6.0 (6.1)
    8 masked stores 4.0 (4.0), LLVM's 96; vextractf128 to memory: 8 of them 4.0 (8.0), 12 and 12
    FMAs 12.1 (12.0)
    a store, and a load of half of it and as much beside: 14.0 a pair (14.5); 12 FMAs take 6.0, with
    a pair 20.0 (20.1); 48 take 24, with a pair 33 (38): the model always adds WAIT_CYCLES, of which
    long work hides a part

The size of the reorder buffer is AMD's (Software Optimization Guide for the Zen 5, 58455).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from deploy_rpc.block_counts import Block
from deploy_rpc.block_prices import Price, disassembled, price_blocks, regions_of
from deploy_rpc.isa import Isa
from deploy_rpc.memory_ports import busy_cycles
from deploy_rpc.memory_waits import Flow, Timing, reorder_buffer_of
from deploy_rpc.multiply_flow import MULTIPLIES_WAITING, MULTIPLY_PIPES, MultiplyFlow, Rounds
from deploy_rpc.operands import OPERATIONS

WIDE = ("znver5",)  # by LLVM's name of the model
DISPATCHED = 8
FOLDED_LOAD_CYCLES = 7  # of LLVM's latency of a multiply-add that loads
WAIT_CYCLES = 14
SHARPNESS = 6.5  # eight chains: 4 cycles of the pipes, 4 of latency, 4.45 together
MULTIPLIES = re.compile(r"vf?n?m(ul|add|sub)")
MOVES = re.compile("v(mask)?mov")

Listing = Sequence[str]  # instructions, LLVM's text of each
Timed = tuple[float, tuple[int, ...]]  # cycles of a block's ports, latencies of its instructions


def stores_in_flight_for(llvm_model: str) -> int:
    """Instructions, where loads that wait for stores are priced as they are counted, else 0."""
    return reorder_buffer_of(llvm_model) if llvm_model in WIDE else 0


def wide_prices(
    blocks: Sequence[Block], llvm_model: str, isa: Isa
) -> Iterator[tuple[Block, Price]]:
    """Each of `blocks`, a program's by address, as a core of `WIDE` runs it.

    By `price_blocks` where LLVM does not know all of its instructions. Raises `PriceError`.
    """
    listings = disassembled([block.code for block in blocks], isa)
    timed = _timed(listings, llvm_model, isa)
    known = [len(of_it[1]) == len(each) for of_it, each in zip(timed, listings, strict=True)]
    unknown = (block.code for block, is_known in zip(blocks, known, strict=True) if not is_known)
    partly = price_blocks(unknown, llvm_model, isa)
    trips = _trips(blocks)
    for block, listing, (ports, latencies) in zip(blocks, listings, timed, strict=True):
        if block.code in partly:
            price = partly[block.code]
        else:
            timing = Timing(latencies, FOLDED_LOAD_CYCLES, DISPATCHED)
            loops = bool(listing) and isa.loops(block.code, listing[-1])
            rounds = Rounds(loops, trips.get(block.address, 0) if loops else 0)
            values = _values(listing, timing, reorder_buffer_of(llvm_model), isa, rounds)
            price = Price(max(ports, values), len(listing), listing)
        busy = busy_cycles(block, listing, llvm_model, isa) / block.executions
        waits = WAIT_CYCLES * block.waiting_loads / block.executions
        yield block, replace(price, cycles=max(price.cycles, busy) + waits)


def together(pipes: float, chains: float) -> float:
    """Cycles of multiply-adds that keep the pipes busy for `pipes`, and whose chains take `chains`:
    more than the longer of the two where they are alike.
    """
    shorter, longer = sorted((pipes, chains))
    return longer * (1 + (shorter / longer) ** SHARPNESS) ** (1 / SHARPNESS) if longer else 0.0


def _values(
    listing: Listing, timing: Timing, reorder_buffer: int, isa: Isa, rounds: Rounds
) -> float:
    """Cycles that the values of one round of a block take."""
    if not listing:
        return 0.0
    operations = [OPERATIONS[isa.name](line) for line in listing]
    multiplies = [MULTIPLIES.match(line) is not None for line in listing]
    flow = MultiplyFlow(operations, multiplies, timing, reorder_buffer, rounds).cycles_of_a_round()
    if not any(multiplies) or 0 < rounds.trips * sum(multiplies) <= MULTIPLIES_WAITING:
        return flow  # those of the next entry begin beside those of this one
    at_once = replace(timing, width=math.inf)  # what is dispatched is no chain
    endless = Flow(operations, at_once, reorder_buffer, rounds.loops, blocks=False)
    chains = min(flow, endless.cycles_of_a_round())  # less where entries overlap
    return max(flow, together(sum(multiplies) / MULTIPLY_PIPES, chains))


def _timed(listings: Sequence[Listing], llvm_model: str, isa: Isa) -> list[Timed]:
    """Of each listing, less than all latencies where LLVM does not know all instructions."""
    options = ("-iterations=1", "-instruction-info=true", f"-dispatch={DISPATCHED}")
    texts = ["\n".join(_without_stores(listing, isa)) for listing in listings]
    regions = {int(each["Name"]): each for each in regions_of(texts, llvm_model, isa, options)}
    return [_of_llvm(regions.get(index)) for index in range(len(listings))]


def _of_llvm(region: dict | None) -> Timed:
    if region is None:
        return 0.0, ()
    infos = region["InstructionInfoView"]["InstructionList"]
    return region["SummaryView"]["BlockRThroughput"], tuple(info["Latency"] for info in infos)


def _without_stores(listing: Listing, isa: Isa) -> list[str]:
    """Moves to memory take a slot of the dispatch; their ports are `memory_ports`' business. A
    store that takes a vector apart (vextractf128) stays: LLVM charges more than the store.
    """
    return ["nop" if MOVES.match(line) and isa.stores.match(line) else line for line in listing]


def _trips(blocks: Sequence[Block]) -> dict[int, int]:
    """How often each block runs before it is left for the one behind it, where that runs less.

    All runs of the one behind it are taken to come out of it. Where others jump there, too, these
    are too few and a loop is priced too cheap; QEMU tells how often blocks run, not from where.
    """
    runs = {block.address: block.executions for block in blocks}
    behind = {block.address: block.address + sum(map(len, block.code)) for block in blocks}
    return {
        block.address: round(block.executions / left)
        for block in blocks
        if (left := runs.get(behind[block.address], block.executions)) < block.executions
    }
