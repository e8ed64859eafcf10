"""Register tiles of a grouped 1x1 convolution: those that fit a core, the default among them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

from compile.schedules.maximum import has_maxnum
from compile.schedules.overlap import tile_starts
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.registers import (
    ARM_TAIL_CYCLES,
    AVX2_POINTWISE_CHANNELS,
    AVX2_REGISTERS,
    AVX2_USUAL,
    LOAD_COSTS,
    accumulator_budget,
    tile_cycles,
    weights_per_load,
)
from compile.schedules.tiles import lane_choices
from compile.schedules.volatile import can_spread
from deploy_rpc.cores import Core

K_UNROLLS = (4, 2, 1)
WIDE_ARM_K_UNROLLS = (4, 1)  # float32, with several FMLAs a cycle
LEAST_INPUTS_PEELED = 20  # by default: LLVM writes a loop over fewer in full, and spills
MOST_VECTORS_PEELED = 3  # beside a tail
LEAST_PIXELS_OF_A_PASS = 3  # that share the weights they bring from L2: 21 bytes a cycle
# AVX2: of a vector of weights that comes from L2 for every tile of pixels again
WEIGHTS_AGAIN_CYCLES, WEIGHTS_AGAIN_L1_CACHES = 0.2, 2
DEAREST_IN_PLACE = 1.25  # times the modelled cycles of the best tile, which knows no caches
FLOAT_BYTES = 4
LINE_BYTES = 64


@dataclass(frozen=True)
class PointwiseTile:
    """The decisions: accumulators are `rows` x `vectors` vectors of `lanes`.

    Rows are channels and lanes pixels in planes, the other way round with channels in the lanes.
    With `prefetch` the pixels of one tile of outputs bring the weights of the next one to L2. The
    broadcast rows are loaded as vectors of `row_lanes`, which divides them; 1 is one by one. With
    `peel`, which needs `can_peel`, the first and the last step over k stand outside their loop,
    where their FMAs overlap the loads of the start and the stores of the end; with `peel_first` the
    first alone does, where both would spill. `groups_inner` walks the pixels outermost, all groups
    inside: what is read and written then lies together. With `tail`, which needs `row_lanes` and
    planes, pixels that fill no vector have outputs in the lanes: 49 pixels take 12 vectors and a
    quarter of one, not 13. With channels in the lanes the last vector of outputs may be one of
    `sharing` pixels (see `pointwise_shared`). With `spread_bias`, which needs `can_spread_bias`,
    every sum is loaded with its bias, and with `paired`, which needs `can_pair`, vectors of a row
    are stored in pairs (see `volatile`). With `halves`, which needs `can_halve`, a tile of outputs
    adds the first half of the inputs for all pixels, then the second: its weights, and what comes
    with the pixels, then stay in the L1 cache, and the sums wait in Y meanwhile.
    """

    rows: int
    vectors: int
    lanes: int
    k_unroll: int
    pixels_outer: bool
    prefetch: bool = False
    maxnum: bool = False
    row_lanes: int = 1
    peel: bool = False
    groups_inner: bool = False
    tail: bool = False
    sharing: int = 1
    spread_bias: bool = False
    paired: bool = False
    peel_first: bool = False
    halves: bool = False

    @property
    def width(self) -> int:
        """Values along the axis that is in the lanes."""
        return self.vectors * self.lanes

    def padding(self, workload: PointwiseWorkload) -> int:
        """Lanes of the last vector that no output of a group stands in."""
        along = workload.pixels if workload.layout == "planes" else workload.outputs
        return max(self.width - along, 0)


def default_tile(workload: PointwiseWorkload, core: Core) -> PointwiseTile:
    """The tile with the least modelled cycles among those whose accumulators fit the registers.

    With a shortcut one that can run in place is preferred, which saves a third of the memory.
    """
    fitting = fitting_tiles(workload, core)
    cycles = {tile: _modelled_cycles(workload, core, *tile) for tile in fitting}
    best = min(fitting, key=cycles.__getitem__)
    if workload.shortcut:
        exact = [t for t in fitting if cycles[t] <= DEAREST_IN_PLACE * cycles[best]]
        exact = [t for t in exact if _is_exact(workload, _tiled(workload, core, *t), *t)]
        best = min(exact, key=cycles.__getitem__, default=best)
    rows, vectors, lanes = best
    pixels_outer = _pixels_outer(workload, core, rows, vectors * lanes)
    k_unroll = _default_unroll(workload, core)
    groups_inner = _groups_inner(workload, core, rows)
    prefetch = not pixels_outer and not groups_inner and prefetches(workload, core)
    return PointwiseTile(
        rows=rows,
        vectors=vectors,
        lanes=lanes,
        k_unroll=k_unroll,
        pixels_outer=pixels_outer,
        prefetch=prefetch,
        maxnum=has_maxnum(core),
        row_lanes=row_lanes(workload, core, rows),
        peel=can_peel(workload, k_unroll) and _gains_by_peeling(workload, core, *best),
        groups_inner=groups_inner,
        tail=has_tail(workload, core, rows, vectors, lanes),
        sharing=_default_sharing(workload, core, rows, vectors, lanes),
    )


def fitting_tiles(workload: PointwiseWorkload, core: Core) -> list[tuple[int, int, int]]:
    """Rows, vectors and lanes of the tiles whose accumulators fit the registers."""
    across, along = _axes(workload)
    most = accumulator_budget(core, row_lanes(workload, core, rows=0))
    padded = workload.layout == "channels"
    return [
        (rows, vectors, lanes)
        for lanes in lane_choices(along, core, padded=padded)
        for rows, vectors in itertools.product(range(1, most + 1), repeat=2)
        if rows * vectors <= accumulator_budget(core, row_lanes(workload, core, rows))
        and rows <= across
        and (vectors * lanes <= along or (padded and (vectors - 1) * lanes < along))
    ]


def can_peel(workload: PointwiseWorkload, k_unroll: int) -> bool:
    """Whether a step over k is left between the first and the last; behind a shuffle none is."""
    return workload.load_rows == 1 and workload.inputs // k_unroll > 2


def row_lanes(workload: PointwiseWorkload, core: Core, rows: int) -> int:
    """How many of a tile's broadcast rows one load brings.

    Rows of planes are weights, packed side by side; rows of pixels lie apart.
    """
    return weights_per_load(core, rows) if workload.layout == "planes" else 1


def has_tail(workload: PointwiseWorkload, core: Core, rows: int, vectors: int, lanes: int) -> bool:
    """Whether pixels are left behind the last vector whose accumulators fit beside a tile's."""
    together = row_lanes(workload, core, rows)
    rest = workload.pixels % lanes
    budget = accumulator_budget(core, together)
    fits = rows * vectors + rest * rows // together <= budget
    return bool(rest) and together > 1 and fits


def sharing_of(workload: PointwiseWorkload, rows: int, vectors: int, lanes: int) -> int:
    """How many pixels of a tile of all outputs fill a vector with what is left of each; else 1."""
    rest = workload.outputs % lanes
    if workload.layout == "planes" or rest < 2 or lanes % rest or rows % (lanes // rest):
        return 1
    return lanes // rest if vectors == workload.outputs // lanes + 1 else 1


def can_spread_bias(workload: PointwiseWorkload, core: Core) -> bool:
    """Whether sums may be loaded with the biases of their group, which the stack has room for."""
    known = core.isa == "aarch64" and workload.layout == "planes"
    return known and workload.bias and can_spread(workload.outputs, core.lanes)


def can_pair(workload: PointwiseWorkload, core: Core, vectors: int) -> bool:
    """Whether a tile has rows of several vectors, which its core can store in pairs."""
    return core.isa == "aarch64" and workload.layout == "planes" and vectors > 1


def can_halve(workload: PointwiseWorkload, core: Core, tile: PointwiseTile) -> bool:
    """Whether halves of the inputs are of use, and allowed.

    Of use where the weights of a tile, and a line of each of its inputs, take more than half of L1.
    No tile may begin earlier, as the sums that wait would be taken up twice; nor may they wait in
    a shortcut.
    """
    planes = workload.layout == "planes" and not workload.shortcut
    inner = not tile.pixels_outer and not tile.groups_inner
    steps = workload.inputs % (2 * tile.k_unroll) == 0 and workload.inputs // tile.k_unroll // 2 > 2
    read = workload.inputs * (core.value_bytes * tile.rows + LINE_BYTES)
    is_peeled = tile.peel and not tile.peel_first
    is_of_use = read > core.l1d_kib * 1024 // 2
    return planes and inner and is_peeled and steps and is_of_use and _overlaps_none(workload, tile)


def runs_in_place(workload: PointwiseWorkload, tile: PointwiseTile) -> bool:
    """Whether the shortcut may be the output itself.

    A tile that begins earlier would add it twice, and a shuffled store overwrite what is still to
    be added: both axes have to be multiples of the tile, and the store plain.
    """
    plain = workload.shuffle_rows == 1 and not workload.stored_channels
    return workload.shortcut and plain and _overlaps_none(workload, tile)


def modelled_cycles(workload: PointwiseWorkload, core: Core) -> float:
    """Of one call with the default tile: a rank for choosing, not a prediction."""
    tile = default_tile(workload, core)
    return _modelled_cycles(workload, core, tile.rows, tile.vectors, tile.lanes)


def prefetches(workload: PointwiseWorkload, core: Core) -> bool:
    """Whether weights come from beyond the caches of a core that has lines to spare for them."""
    return core.isa == "x86_64" and workload.layout == "channels"


def tile_outputs(workload: PointwiseWorkload, tile: PointwiseTile) -> int:
    """How many outputs of a group one tile makes, padding included."""
    return tile.rows if workload.layout == "planes" else tile.width


def tile_pixels(workload: PointwiseWorkload, tile: PointwiseTile) -> int:
    """Of how many pixels."""
    return tile.width if workload.layout == "planes" else tile.rows


def tiled_pixels(workload: PointwiseWorkload, tile: PointwiseTile) -> int:
    """How many pixels are cut into tiles; those of a tail are not."""
    return workload.pixels - workload.pixels % tile.lanes if tile.tail else workload.pixels


def tile_counts(workload: PointwiseWorkload, tile: PointwiseTile) -> tuple[int, int]:
    """Tiles of a group along its outputs and its pixels."""
    return (
        len(tile_starts(workload.outputs, tile_outputs(workload, tile))),
        len(tile_starts(tiled_pixels(workload, tile), tile_pixels(workload, tile))),
    )


def _default_unroll(workload: PointwiseWorkload, core: Core) -> int:
    """The longest step that divides K; of float32 on AArch64 with several FMLAs a cycle never two.

    For those cores LLVM loads both inputs at once, and spills: 200 of 50 with a shortcut at 14x14
    take 623 to 1303 thousand modelled cycles on N1 in steps of two, 530 in steps of one. On A72 and
    in float16 nothing spills, and steps of two are up to 2 and 0.7 % faster (2026-11-26).
    """
    is_wide = core.isa == "aarch64" and core.value_bits == 32 and not _one_a_cycle(core)
    unrolls = WIDE_ARM_K_UNROLLS if is_wide else K_UNROLLS
    return next(unroll for unroll in unrolls if workload.inputs % unroll == 0)


def _gains_by_peeling(
    workload: PointwiseWorkload, core: Core, rows: int, vectors: int, lanes: int
) -> bool:
    """With one FMLA a cycle all else hides behind it; weights one by one, or few inputs, spill.

    So do many inputs of a step beside a tail: 320 of 80 at 7x7 take 1048 thousand modelled cycles
    on A72 in tiles of 4 x 6 peeled, 998 else, 982 in tiles of 20 x 1 peeled.
    """
    if vectors > MOST_VECTORS_PEELED and has_tail(workload, core, rows, vectors, lanes):
        return False
    many = workload.inputs >= LEAST_INPUTS_PEELED
    arm = core.isa == "aarch64" and _one_a_cycle(core)
    return arm and many and row_lanes(workload, core, rows) > 1


def _one_a_cycle(core: Core) -> bool:
    """Whether the core begins one multiply-add of whole vectors a cycle."""
    return core.macs_per_cycle == core.lanes


def _default_sharing(
    workload: PointwiseWorkload, core: Core, rows: int, vectors: int, lanes: int
) -> int:
    """Only where it was measured: not with AVX-512, nor on ARM."""
    is_measured = core.vector_registers == AVX2_REGISTERS
    return sharing_of(workload, rows, vectors, lanes) if is_measured else 1


def _is_exact(
    workload: PointwiseWorkload, pixels: int, rows: int, vectors: int, lanes: int
) -> bool:
    """Whether no tile overlaps another, where `pixels` are cut into tiles."""
    across, along = _axes(replace(workload, pixels=pixels))
    width = vectors * lanes
    return across % rows == 0 and (along % width == 0 or width >= along)


def _overlaps_none(workload: PointwiseWorkload, tile: PointwiseTile) -> bool:
    """Whether no tile begins earlier than where the one before it ends."""
    return _is_exact(workload, tiled_pixels(workload, tile), tile.rows, tile.vectors, tile.lanes)


def _tiled(workload: PointwiseWorkload, core: Core, rows: int, vectors: int, lanes: int) -> int:
    """Pixels that are cut into tiles by default."""
    tail = has_tail(workload, core, rows, vectors, lanes)
    return workload.pixels - workload.pixels % lanes if tail else workload.pixels


def _axes(workload: PointwiseWorkload) -> tuple[int, int]:
    """Extents across the vectors (rows) and along them (lanes), of one group."""
    planes = workload.layout == "planes"
    outputs, pixels = workload.outputs, workload.pixels
    return (outputs, pixels) if planes else (pixels, outputs)


def _modelled_cycles(
    workload: PointwiseWorkload, core: Core, rows: int, vectors: int, lanes: int
) -> float:
    pixels = _tiled(workload, core, rows, vectors, lanes)
    across, along = _axes(replace(workload, pixels=pixels))
    tiles = -(-across // rows) * -(-along // (vectors * lanes))
    shared = 1 / _default_sharing(workload, core, rows, vectors, lanes)
    cycles = tile_cycles(
        core,
        workload.layout,
        lanes,
        rows,
        vectors - 1 + shared,
        workload.inputs,
        shortcut=workload.shortcut,
        avx2=AVX2_POINTWISE_CHANNELS if workload.layout == "channels" else AVX2_USUAL,
    )
    if _weights_come_again(workload, core):
        cycles += WEIGHTS_AGAIN_CYCLES * vectors * workload.inputs
    if vectors * lanes > along:  # a vector stored in part takes several stores
        cycles += rows * LOAD_COSTS[workload.layout].store
    cycles *= tiles
    if rest := workload.pixels - pixels:
        speed = core.macs_per_cycle / core.lanes
        together = row_lanes(workload, core, rows)
        cycles += across * rest * (workload.inputs / together + ARM_TAIL_CYCLES) / speed
    return workload.groups * cycles


def _weights_come_again(workload: PointwiseWorkload, core: Core) -> bool:
    """Whether a group's weights are beyond the L1 cache: wide tiles read them more often."""
    if workload.layout == "planes" or core.vector_registers != AVX2_REGISTERS:
        return False
    weights = FLOAT_BYTES * workload.inputs * workload.outputs
    return weights > WEIGHTS_AGAIN_L1_CACHES * core.l1d_kib * 1024


def _groups_inner(workload: PointwiseWorkload, core: Core, rows: int) -> bool:
    """Whether the channels of a pixel should be walked as they lie, group by group.

    Where the pictures do not fit the L2 cache and the weights of all groups, which are then read
    for every few pixels, lie near enough. On AVX2 (EPYC, Zen 3, 2026-11-25), 1x g8: 45 of 12
    channels at 28x28 take 107 us instead of 129, 48 of 12 in place 100 instead of 135, 96 of 24 at
    14x14 79 instead of 84; 1x g3: 80 of 20 in place 85 instead of 91. Where the pictures fit, 160
    of 40 at 14x14 take 95 instead of 84.
    """
    if workload.layout == "planes" or workload.groups == 1:
        return False
    read_and_written = workload.inputs + workload.outputs
    pictures = FLOAT_BYTES * workload.pixels * workload.groups * read_and_written
    weights = FLOAT_BYTES * workload.groups * workload.inputs * workload.outputs
    l1, l2 = core.l1d_kib * 1024, core.l2_kib * 1024
    is_near = weights <= l1 // 2 or (rows >= LEAST_PIXELS_OF_A_PASS and weights <= l2 // 2)
    return pictures > l2 and is_near


def _pixels_outer(workload: PointwiseWorkload, core: Core, rows: int, width: int) -> bool:
    """Whether walking pixels outside and outputs inside reads less through L1."""
    x_bytes = FLOAT_BYTES * workload.inputs * workload.pixels
    w_bytes = FLOAT_BYTES * workload.inputs * workload.outputs
    half_l1 = core.l1d_kib * 1024 // 2
    outputs, pixels = (rows, width) if workload.layout == "planes" else (width, rows)
    w_again = 1 if w_bytes <= half_l1 else -(-workload.pixels // pixels)
    x_again = 1 if x_bytes <= half_l1 else -(-workload.outputs // outputs)
    return x_bytes + w_bytes * w_again < x_bytes * x_again + w_bytes
