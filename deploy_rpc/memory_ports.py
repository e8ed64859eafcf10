"""What the vectors that a block loads and stores take at least, where LLVM's model is too kind.

LLVM 19's model of Zen 3 begins three loads of any width a cycle, and no address costs more than
another. In silicon it is two where they are vectors, one of bytes of two lines, and a store of
bytes of two aligned pieces of 32 takes two cycles:

    vmovups 48(%rax), %ymm0    both ports for a cycle, where %rax is a line's address
    vmovups %ymm0, 16(%rax)    the store port for two

Measured on Zen 3 (AMD EPYC, 2026-11-26): 16 loads of 32 bytes in 8.4 cycles, 16.0 where each has
bytes of two lines; 8 stores in 8.0 cycles, 16.8 where each is off by half its size. It is a bound,
as that of any port: beside 16 multiply-adds four split loads or stores took no time. Split accesses
are counted as the program runs (`block_counts`).

Zen 5, which LLVM 19 takes for Zen 4, begins two stores a cycle and has two of its ports busy with
one of bytes of two lines; pieces of 32 are none to it. Measured (AMD EPYC, 2026-11-26): 16 loads
of 16 or 32 bytes in 8.0 cycles, 16.0 where each has bytes of two lines, 12.0 where each second
one has; 16 stores of 4 to 32 bytes in 8.0 cycles, 16.0 where each has bytes of two lines, 12.0
where each second one has. Of no other core's model is anything corrected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploy_rpc.block_counts import Block
from deploy_rpc.isa import Isa

VECTOR = "v"  # the names of AVX's instructions begin with it


@dataclass(frozen=True)
class Ports:
    """Of vectors: `loads` and `stores` begun a cycle, a split load takes one and a split store
    `split_store_cycles`, split by lines or else by aligned pieces of 32 bytes.
    """

    loads: int
    stores: int
    split_store_cycles: int
    by_lines: bool


PORTS = {  # by LLVM's name of the model
    "znver3": Ports(loads=2, stores=1, split_store_cycles=2, by_lines=False),
    "znver5": Ports(loads=2, stores=2, split_store_cycles=1, by_lines=True),
}


def busy_cycles(block: Block, disassembly: Sequence[str], llvm_model: str, isa: Isa) -> float:
    """Cycles that the dearer of the ports for loads and stores is busy, in all executions.

    0 where LLVM's model is taken as it is.
    """
    ports = PORTS.get(llvm_model)
    if ports is None:
        return 0.0
    vectors = [line for line in disassembly if line.startswith(VECTOR)]
    loads = block.executions * sum(isa.loads.match(line) is not None for line in vectors)
    stores = block.executions * sum(isa.stores.match(line) is not None for line in vectors)
    split_loads = min(block.split_loads, loads)
    split_stores = min(block.line_stores if ports.by_lines else block.split_stores, stores)
    return max(
        (loads - split_loads) / ports.loads + split_loads,
        (stores - split_stores) / ports.stores + split_stores * ports.split_store_cycles,
    )
