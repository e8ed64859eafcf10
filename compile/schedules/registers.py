"""What a register tile costs on a core, for the templates' default tiles.

A tile of `rows` weights by `vectors` input vectors keeps rows x vectors accumulators. Every step of
the reduction takes the FMAs, and the loads that do not hide behind them.
"""

from __future__ import annotations

from dataclasses import dataclass

from compile.schedules.layouts import Layout
from deploy_rpc.cores import Core

ACCUMULATORS = {"aarch64": 20}  # of 32: LLVM keeps inputs and 4 unrolled steps of weights, too
ACCUMULATOR_SHARE = (25, 32)  # of the registers elsewhere: 5 x 5 of 32, the rest for operands
WEIGHTS_PER_LOAD = {"aarch64": 4}  # FMLA takes a lane of a loaded vector; x86 broadcasts each
FMA_LATENCY = 4  # cycles until an accumulator can be added to again


@dataclass(frozen=True)
class LoadCosts:
    """Cycles that loads and stores take beside the FMAs: of a row's broadcast and of a vector in
    every step, and of starting and storing one accumulator.
    """

    row: float
    vector: float
    store: float


LOAD_COSTS: dict[Layout, LoadCosts] = {
    "planes": LoadCosts(row=0.25, vector=0.5, store=0.5),
    "channels": LoadCosts(row=0.1, vector=0.25, store=6.0),
}


def accumulator_budget(core: Core) -> int:
    """Vector registers that may hold accumulators; more of them spill."""
    share, of = ACCUMULATOR_SHARE
    return ACCUMULATORS.get(core.isa, core.vector_registers * share // of)


def tile_cycles(
    core: Core, layout: Layout, lanes: int, rows: int, vectors: int, steps: int
) -> float:
    """Modelled cycles of one tile over `steps` of the reduction, start and store included.

    The costs beside the FMAs were fitted to 16 tiles of each of 31 pointwise shapes in both layouts
    on one thread of an AVX-512 Xeon (2026-11-23): the tile picked is 1.01 times slower than the
    best in the mean, 1.10 times at worst.
    """
    costs = LOAD_COSTS[layout]
    fmas = rows * vectors / _vector_fmas_per_cycle(core, lanes)
    row_loads = rows / WEIGHTS_PER_LOAD.get(core.isa, 1)
    loads = costs.vector * vectors + costs.row * row_loads
    fetched = vectors * _cycles_to_fetch_a_vector(core, lanes, vectors * steps)
    return steps * (max(fmas, FMA_LATENCY, fetched) + loads) + costs.store * rows * vectors


def _cycles_to_fetch_a_vector(core: Core, lanes: int, count: int) -> float:
    """Of a panel of `count` vectors that every tile reads again; none from L1, where it hides.

    Half a vector register a cycle from L2, an eighth from beyond: round figures, which only keep
    tiles from growing along the panel at the price of reading it more often.
    """
    size = 4 * lanes * count
    if size <= core.l1d_kib * 1024 // 2:
        return 0
    per_cycle = core.lanes / (2 if size <= core.l2_kib * 1024 // 2 else 8)
    return lanes / per_cycle


def _vector_fmas_per_cycle(core: Core, lanes: int) -> float:
    """With all lanes what the table says; shorter vectors gain on cores that split long ones."""
    return max(core.macs_per_cycle / core.lanes, min(2, core.macs_per_cycle / lanes))
