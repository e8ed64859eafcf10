"""What a register tile costs on a core, for the templates' default tiles.

A tile of `rows` weights by `vectors` input vectors keeps rows x vectors accumulators. Every step of
the reduction takes the FMAs, and the loads that do not hide behind them.
"""

from __future__ import annotations

from dataclasses import dataclass

from compile.schedules.layouts import Layout
from deploy_rpc.cores import Core

ACCUMULATOR_SHARE = (25, 32)  # of the registers: 5 x 5 of 32, the rest for operands
BYTES_FROM_L2, BYTES_FROM_BEYOND = 32, 8  # a cycle
FLOAT_BYTES = 4
LINE_BYTES = 64  # of a cache, on every core of the table
FMA_LATENCY = 4  # cycles until an accumulator can be added to again
LOADS_PER_CYCLE = 2  # x86-64 with AVX-512


@dataclass(frozen=True)
class Avx512Costs:
    """Cycles beside the FMAs on x86-64 with 32 registers: of a row's broadcast and of a vector in
    every step, of storing one accumulator, of starting a tile, and in every step of each
    accumulator beyond `easy`, whose FMAs no longer overlap the next tile's start.
    """

    row: float
    vector: float
    store: float
    start: float
    easy: int
    crowded: float


AVX2_REGISTERS = 16
AVX2_VECTOR_CYCLES = 0.5  # of loading one in a step
AVX2_STORE_CYCLES = 2.0  # of starting and storing one accumulator


@dataclass(frozen=True)
class Avx2Costs:
    """Cycles of a step on x86-64 with 16 registers: of a row's broadcast, of a vector that no FMA
    hides, and of each accumulator beyond `easy`, which leave too few registers to load ahead.
    """

    row: float
    unhidden: float
    easy: int
    crowded: float


@dataclass(frozen=True)
class X86Costs:
    """Those of a template in one layout."""

    avx2: Avx2Costs
    avx512: Avx512Costs


# AVX2: loads hide behind the FMAs until they are more. Fitted to tiles of 5 to 12 accumulators on
# one thread of an AVX2 EPYC (Zen 3, shared): the usual costs to 25 pointwise shapes in each layout
# (2026-11-25), those of pointwise channels to 81 of ShuffleNet and MobileNet (2026-11-26). What
# these pick takes 1.02 times the time of the best tile in the mean, 1.30 times at worst, kernels
# alone; in the network it takes 1.3 % off 1x g8, 1.5 off MobileNet, 0.6 off 1x g3, nothing off 2x.
AVX2_USUAL = Avx2Costs(row=0.7, unhidden=0.1, easy=10, crowded=0.2)

# AVX-512: fitted to 12 tiles of each of 105 pointwise shapes of ShuffleNet and MobileNet in both
# layouts on one thread of an EPYC (Zen 5, shared, 2026-11-26): what these pick takes 1.022 (planes)
# and 1.008 (channels) times the time of the best tile in the mean, 1.14 and 1.10 times at worst.
# Costs without `start` and `crowded`, fitted on a Xeon, took 1.03 and 1.04 times, 1.19 and 1.42 at
# worst there: few inputs want fewer accumulators, whose stores overlap the next tile. Later fits of
# these shapes alone, 1.013 and 1.006 in the mean, lost 1 % of 2x in the network, or chose worse
# layouts. For windows, too, these are better: 1 % of AlexNet, 0.7 of MobileNet.
AVX512_PLANES = Avx512Costs(0.02, 0.1, store=0.44, start=1.4, easy=20, crowded=0.23)
AVX512_CHANNELS = Avx512Costs(0.03, 0.08, store=0.32, start=5.2, easy=15, crowded=0.11)

POINTWISE_COSTS: dict[Layout, X86Costs] = {
    "planes": X86Costs(AVX2_USUAL, AVX512_PLANES),
    "channels": X86Costs(Avx2Costs(0.8, unhidden=0.0, easy=8, crowded=0.2), AVX512_CHANNELS),
}
WINDOW_COSTS: dict[Layout, X86Costs] = {
    "planes": X86Costs(AVX2_USUAL, AVX512_PLANES),
    "channels": X86Costs(AVX2_USUAL, AVX512_CHANNELS),
}

# AVX-512, of tiles with several inputs of a sum in the lanes: `store` is of adding the parts of an
# accumulator's sums, too. Fitted to 22 tiles of each of 58 pointwise shapes (Zen 5, shared,
# 2026-11-27): what these pick, or the usual tile where that costs less, takes 1.003 times the time
# of the best in the mean, 1.03 times at worst, and 0.978 times that of the usual tile. Since then
# vectors of one pixel are added with half the shuffles.
AVX512_K_LANES = {
    2: Avx512Costs(0.02, 0.048, store=0.55, start=0.0, easy=17, crowded=0.037),
    4: Avx512Costs(0.182, 0.01, store=0.4, start=0.0, easy=20, crowded=0.084),
}
STORED_IN_PARTS_CYCLES = {2: 0.53, 4: 0.39}  # more for an accumulator whose outputs lie apart

# AArch64, where FMLA takes a lane of a loaded vector of weights. Cycles of a core with one FMLA a
# cycle, fitted to the cycle model's prices of 50 tiles of the pointwise shapes of 1x g3 on an A72
# (2026-11-24); wider cores take that much less.
ARM_WEIGHTS_PER_LOAD = 4
ARM_ACCUMULATORS = {4: 28, 1: 20}  # of 32, by weights per load: LLVM keeps inputs and weights, too
ARM_TILE_CYCLES = 4.0  # of addressing
ARM_ROW_CYCLES = 1.6  # of a row's bias and addresses
ARM_STORE_CYCLES = 2.0  # of starting and storing one accumulator
ARM_SHORTCUT_CYCLES = 1.5  # of adding the shortcut to one
ARM_TAIL_CYCLES = 3.0  # of starting and storing one value behind the last vector, A72

# The same of float16, fitted to the cycle model's prices of 70 tiles of (3, 20, 80, 784) and (3,
# 160, 40, 196) on an N1 (2026-11-25), in cycles of a core with one FMLA a cycle. An FMLA of float16
# takes its lane from v0 to v15 only: 28 accumulators spill whatever the unrolling, 24 do at times.
# A shortcut was added behind the sum then; a sum that begins with it, as now, takes a little less.
ARM_HALF_ACCUMULATORS = {8: 20, 4: 20, 1: 20}
ARM_HALF_TILE_CYCLES = 1.0
ARM_HALF_STORE_CYCLES = 4.2
ARM_HALF_SHORTCUT_CYCLES = 1.7
ARM_HALF_SINGLE_CYCLES = 1.0  # of weights that are loaded one by one, for each accumulator


def has_avx512(core: Core) -> bool:
    """Whether its multiply-adds are of whole vectors of 512 bits."""
    return core.isa == "x86_64" and core.vector_bits == 512


def accumulator_budget(core: Core, weights_per_load: int = 1) -> int:
    """Vector registers that may hold accumulators; more of them spill."""
    if core.isa == "aarch64":
        return (ARM_HALF_ACCUMULATORS if _is_half(core) else ARM_ACCUMULATORS)[weights_per_load]
    share, of = ACCUMULATOR_SHARE
    return core.vector_registers * share // of


def weights_per_load(core: Core, rows: int) -> int:
    """How many of a tile's `rows` weights one load brings."""
    if core.isa != "aarch64":
        return 1
    return next((n for n in _loadable(core) if rows % n == 0), 1)


def tile_cycles(
    core: Core,
    costs: X86Costs,
    lanes: int,
    rows: int,
    vectors: float,
    steps: int,
    *,
    shortcut: bool = False,
    own_inputs: bool = False,
) -> float:
    """Modelled cycles of one tile over `steps` of the reduction, start and store included.

    `costs` count on x86-64 only, there `shortcut` with 32 registers only, `own_inputs` (each
    accumulator reads an input of its own, as channelwise) with 16 only. A vector that pixels share
    counts in part.
    """
    if core.isa == "aarch64":
        fmas = rows * vectors / _vector_fmas_per_cycle(core, lanes)
        return _arm_tile_cycles(core, fmas, rows, vectors, steps, shortcut)
    busy = _busy_cycles(core, lanes, rows, vectors, steps)
    if core.vector_registers == AVX2_REGISTERS:
        return _avx2_tile_cycles(costs.avx2, busy, rows, vectors, steps, own_inputs)
    return _avx512_tile_cycles(costs.avx512, busy, rows, vectors, steps, shortcut)


def k_lanes_tile_cycles(core: Core, k_lanes: int, shape: tuple[int, int, int], steps: int) -> float:
    """Those of a tile with `k_lanes` inputs of each sum in the lanes of AVX-512; `shape` is rows,
    vectors, and how many of these are stored in parts.
    """
    rows, vectors, in_parts = shape
    busy = _busy_cycles(core, core.lanes, rows, vectors, steps)
    apart = rows * in_parts * STORED_IN_PARTS_CYCLES[k_lanes]
    costs = AVX512_K_LANES[k_lanes]
    return apart + _avx512_tile_cycles(costs, busy, rows, vectors, steps, shortcut=False)


def _busy_cycles(core: Core, lanes: int, rows: int, vectors: float, steps: int) -> float:
    """Of a step's FMAs, or of fetching its vectors."""
    fetched = vectors * _cycles_to_fetch_a_vector(core, lanes, vectors * steps)
    return max(rows * vectors / _vector_fmas_per_cycle(core, lanes), fetched)


def _avx2_tile_cycles(
    costs: Avx2Costs, busy: float, rows: int, vectors: float, steps: int, own_inputs: bool
) -> float:
    """`busy` as `_busy_cycles` gives them."""
    accumulators = rows * vectors
    inputs = AVX2_VECTOR_CYCLES * accumulators if own_inputs else costs.row * rows
    loads = inputs + AVX2_VECTOR_CYCLES * vectors
    crowded = costs.crowded * max(accumulators - costs.easy, 0)
    step = max(busy, FMA_LATENCY, loads) + costs.unhidden * vectors + crowded
    return steps * step + AVX2_STORE_CYCLES * accumulators


def _avx512_tile_cycles(
    costs: Avx512Costs, busy: float, rows: int, vectors: float, steps: int, shortcut: bool
) -> float:
    """`busy` as with AVX2. Loads of the shortcut, with which sums begin, hide as those of steps."""
    accumulators = rows * vectors
    loads = (steps * (rows + vectors) + shortcut * accumulators) / LOADS_PER_CYCLE
    crowded = costs.crowded * max(accumulators - costs.easy, 0)
    beside = crowded + costs.row * rows + costs.vector * vectors
    hidden = max(steps * max(busy, FMA_LATENCY), loads)
    return hidden + steps * beside + costs.start + costs.store * accumulators


def _arm_tile_cycles(
    core: Core, fmas: float, rows: int, vectors: float, steps: int, shortcut: bool
) -> float:
    speed = core.macs_per_cycle / core.lanes
    together = weights_per_load(core, rows)
    if _is_half(core):
        per_value = ARM_HALF_STORE_CYCLES + ARM_HALF_SHORTCUT_CYCLES * shortcut
        per_value += ARM_HALF_SINGLE_CYCLES * (together == 1)
        ends = ARM_HALF_TILE_CYCLES + per_value * rows * vectors
    else:
        per_value = ARM_STORE_CYCLES + ARM_SHORTCUT_CYCLES * shortcut
        ends = ARM_TILE_CYCLES + ARM_ROW_CYCLES * rows + per_value * rows * vectors
    loads = vectors + rows / together
    return steps * max(fmas, FMA_LATENCY, loads / speed) + ends / speed


def _is_half(core: Core) -> bool:
    return core.value_bits == 16


def _loadable(core: Core) -> tuple[int, ...]:
    """How many weights a load may bring, the most first."""
    return (2 * ARM_WEIGHTS_PER_LOAD, ARM_WEIGHTS_PER_LOAD)[not _is_half(core) :]


def _cycles_to_fetch_a_vector(core: Core, lanes: int, count: float) -> float:
    """Of a panel of `count` vectors that every tile reads again; none from L1, where it hides.

    Round figures, which only keep tiles from growing along the panel at the price of reading it
    more often.
    """
    size = FLOAT_BYTES * lanes * count
    if size <= core.l1d_kib * 1024 // 2:
        return 0
    is_near = size <= core.l2_kib * 1024 // 2
    return FLOAT_BYTES * lanes / (BYTES_FROM_L2 if is_near else BYTES_FROM_BEYOND)


def _vector_fmas_per_cycle(core: Core, lanes: int) -> float:
    """With all lanes what the table says; shorter vectors gain on cores that split long ones."""
    return max(core.macs_per_cycle / core.lanes, min(2, core.macs_per_cycle / lanes))
