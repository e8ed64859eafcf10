"""What a register tile costs on a core, for the templates' default tiles.

A tile of `rows` weights by `vectors` input vectors keeps rows x vectors accumulators. Every step of
the reduction takes the FMAs, and the loads that do not hide behind them.
"""

from __future__ import annotations

from deploy_rpc.cores import Core

ACCUMULATORS = {"aarch64": 20}  # of 32: LLVM keeps inputs and 4 unrolled steps of weights, too
WEIGHTS_PER_LOAD = {"aarch64": 4}  # FMLA takes a lane of a loaded vector; x86 broadcasts each
FMA_LATENCY = 4  # cycles until an accumulator can be added to again
INPUT_LOAD_CYCLES = 1.0  # a vector of inputs, often from L2
WEIGHT_LOAD_CYCLES = 0.25  # packed in order of use, so from L1
STORE_CYCLES = 2  # of starting and storing one accumulator


def accumulator_budget(core: Core) -> int:
    """Vector registers that may hold accumulators; more of them spill."""
    return ACCUMULATORS.get(core.isa, core.vector_registers * 3 // 4)


def tile_cycles(core: Core, rows: int, vectors: int, steps: int) -> float:
    """Modelled cycles of one tile over `steps` of the reduction, start and store included.

    The load costs were fitted to 20 tiles of 12 pointwise shapes on one thread of an AVX-512 Xeon
    (2026-11-23): without them 2x7 was taken where 10x2 runs 1.1 to 1.5 times faster.
    """
    fmas = rows * vectors / (core.macs_per_cycle / core.lanes)
    weight_loads = rows / WEIGHTS_PER_LOAD.get(core.isa, 1)
    loads = INPUT_LOAD_CYCLES * vectors + WEIGHT_LOAD_CYCLES * weight_loads
    return steps * (max(fmas, FMA_LATENCY) + loads) + STORE_CYCLES * rows * vectors
