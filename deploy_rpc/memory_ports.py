"""What the vectors that a block loads and stores take at least, where LLVM's model is too kind.

LLVM 19's model of Zen 3 begins three loads of any width a cycle, and no address costs more than
another. In silicon it is two where they are vectors, one of bytes of two lines, and a store of
bytes of two aligned pieces of 32 takes two cycles:

    vmovups 48(%rax), %ymm0    both ports for a cycle, where %rax is a line's address
    vmovups %ymm0, 16(%rax)    the store port for two

Measured on Zen 3 (AMD EPYC, 2026-11-26): 16 loads of 32 bytes in 8.4 cycles, 16.0 where each has
bytes of two lines; 8 stores in 8.0 cycles, 16.8 where each is off by half its size. It is a bound,
as that of any port: beside 16 multiply-adds four split loads or stores took no time. Split accesses
are counted as the program runs (`block_counts`). Of no other core's model is anything corrected.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy_rpc.block_counts import Block
from deploy_rpc.isa import Isa

VECTOR_LOADS_A_CYCLE = {"znver3": 2}  # by LLVM's name of the model
VECTOR = "v"  # the names of AVX's instructions begin with it


def busy_cycles(block: Block, disassembly: Sequence[str], llvm_model: str, isa: Isa) -> float:
    """Cycles that the dearer of the ports for loads and stores is busy, in all executions.

    0 where LLVM's model is taken as it is.
    """
    at_once = VECTOR_LOADS_A_CYCLE.get(llvm_model)
    if at_once is None:
        return 0.0
    vectors = [line for line in disassembly if line.startswith(VECTOR)]
    loads = block.executions * sum(isa.loads.match(line) is not None for line in vectors)
    stores = block.executions * sum(isa.stores.match(line) is not None for line in vectors)
    split_loads, split_stores = min(block.split_loads, loads), min(block.split_stores, stores)
    return max((loads - split_loads) / at_once + split_loads, stores + split_stores)
