"""The tile that a grouped 1x1 convolution has by default: the one of the least modelled cycles.

The model ranks tiles by their registers; of caches it knows what decides the order of the loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from compile.schedules.maximum import has_maxnum
from compile.schedules.pointwise_choices import (
    can_narrow,
    can_peel,
    fitting_tiles,
    has_tail,
    k_lane_tiles,
    prefetches,
    prefetches_shortcut,
    row_lanes,
    sharings,
)
from compile.schedules.pointwise_tiles import PointwiseTile, axes_of, is_exact, whole_vectors
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.registers import (
    ARM_TAIL_CYCLES,
    AVX2_REGISTERS,
    FLOAT_BYTES,
    LINE_BYTES,
    POINTWISE_COSTS,
    has_avx512,
    k_lanes_tile_cycles,
    tile_cycles,
)
from deploy_rpc.cores import Core

K_UNROLLS = (4, 2, 1)
WIDE_ARM_K_UNROLLS = (4, 1)  # float32, with several FMLAs a cycle
LEAST_INPUTS_PEELED = 20  # by default: LLVM writes a loop over fewer in full, and spills
MOST_VECTORS_PEELED = 3  # beside a tail
LEAST_PIXELS_OF_A_PASS = 3  # that share the weights they bring from L2: 21 bytes a cycle
# AVX2: of a vector of weights that comes from L2 for every tile of pixels again
WEIGHTS_AGAIN_CYCLES, WEIGHTS_AGAIN_L1_CACHES = 0.2, 2
LEAST_ROWS_FROM_L2 = 8  # of planes with AVX-512
STORED_IN_PART_CYCLES = 3.0  # of a vector on AVX2, which takes several stores
# How usual tiles are modelled against those with inputs in the lanes (`AVX512_K_LANES`): a little
# dear, but too cheap where one of two or three vectors is shared, which blends few others hide.
USUAL_AGAINST_K_LANES = {False: 0.98, True: 1.04}
MOSTLY_SHARED_VECTORS = 3
# Times those of the tile beside it. At 0.85 and 0.94 narrowing gains 16 and 7 % (`can_narrow`), at
# 0.96 to 0.98, of (3, 80, 160, 196) and (3, 80, 20, 784), nothing; at 1.02 to 1.06, of (4, 136, 34,
# 196), (3, 120, 30, 784) and (2, 100, 25, 784), it loses 5 to 15 %.
DEAREST_NARROWED = 0.95
DEAREST_IN_PLACE = 1.25  # times the modelled cycles of the best tile, which knows no caches


def default_tile(workload: PointwiseWorkload, core: Core) -> PointwiseTile:
    """The tile with the least modelled cycles among those whose accumulators fit the registers.

    With a shortcut one that can run in place is preferred, which saves a third of the memory.
    """
    usual = usual_tile(workload, core)
    shapes = k_lane_tiles(workload, core)
    if not shapes:
        return usual
    rows, vectors, k_lanes = min(shapes, key=lambda s: _k_lanes_cycles(workload, core, *s))
    rival = USUAL_AGAINST_K_LANES[_is_mostly_shared(usual)] * _cycles_of(workload, core, usual)
    if rival <= _k_lanes_cycles(workload, core, rows, vectors, k_lanes):
        return usual
    return in_k_lanes(workload, core, replace(usual, rows=rows, vectors=vectors, k_lanes=k_lanes))


def in_k_lanes(workload: PointwiseWorkload, core: Core, tile: PointwiseTile) -> PointwiseTile:
    """`tile` with all else that it decides for its `k_lanes`: the order of the loops above all."""
    return _ordered(
        workload, core, replace(tile, lanes=core.lanes, sharing=1, k_unroll=1, peel=False)
    )


def _ordered(workload: PointwiseWorkload, core: Core, tile: PointwiseTile) -> PointwiseTile:
    """`tile` with its loops in the order that its width wants, and what they prefetch."""
    pixels_outer = _pixels_outer(workload, core, tile.rows, tile.width)
    groups_inner = _groups_inner(workload, core, tile)
    prefetch = not pixels_outer and not groups_inner and prefetches(workload, core)
    return replace(tile, pixels_outer=pixels_outer, groups_inner=groups_inner, prefetch=prefetch)


def usual_tile(workload: PointwiseWorkload, core: Core) -> PointwiseTile:
    """The best one with either outputs or pixels in the lanes."""
    fitting = fitting_tiles(workload, core)
    cycles = {tile: _modelled_cycles(workload, core, *tile) for tile in fitting}
    best = min(fitting, key=cycles.__getitem__)
    if workload.shortcut:
        exact = [t for t in fitting if cycles[t] <= DEAREST_IN_PLACE * cycles[best]]
        exact = [
            t for t in exact if is_exact(workload, _tiled(workload, core, *t), t[0], t[1] * t[2])
        ]
        best = min(exact, key=cycles.__getitem__, default=best)
    narrowed = _best_narrowed(workload, core, fitting, DEAREST_NARROWED * cycles[best])
    rows, vectors, lanes = narrowed or best
    k_unroll = _default_unroll(workload, core)
    tile = PointwiseTile(
        rows=rows,
        vectors=vectors,
        lanes=lanes,
        k_unroll=k_unroll,
        pixels_outer=False,
        maxnum=has_maxnum(core),
        row_lanes=row_lanes(workload, core, rows),
        peel=can_peel(workload, k_unroll)
        and _gains_by_peeling(workload, core, rows, vectors, lanes),
        tail=has_tail(workload, core, rows, vectors, lanes),
        sharing=sharings(workload, core, rows, vectors, lanes)[0],
        prefetch_shortcut=prefetches_shortcut(workload, core),
        narrows=narrowed is not None,
    )
    return _ordered(workload, core, tile)


def _best_narrowed(
    workload: PointwiseWorkload,
    core: Core,
    fitting: Sequence[tuple[int, int, int]],
    most: float,
) -> tuple[int, int, int] | None:
    """The best of the `fitting` tiles of which the last one of a group's outputs narrows.

    None where it takes more than `most` cycles.
    """
    cycles = {
        (rows, vectors, lanes): _narrowed_cycles(workload, core, rows, vectors, lanes)
        for rows, vectors, lanes in fitting
        if workload.pixels % rows == 0 and can_narrow(workload, core, vectors, lanes)
    }
    best = min(cycles, key=cycles.__getitem__, default=None)
    return best if best and cycles[best] <= most else None


def _narrowed_cycles(
    workload: PointwiseWorkload, core: Core, rows: int, vectors: int, lanes: int
) -> float:
    """As `_modelled_cycles`; no pixels share a vector."""
    whole, left = divmod(workload.outputs, vectors * lanes)
    narrower = -(-left // lanes)
    return sum(
        _modelled_cycles(replace(workload, outputs=each * lanes), core, rows, tile_vectors, lanes)
        for each, tile_vectors in ((whole * vectors, vectors), (narrower, narrower))
    )


def _is_mostly_shared(tile: PointwiseTile) -> bool:
    return tile.sharing > 1 and tile.vectors <= MOSTLY_SHARED_VECTORS


def modelled_cycles(workload: PointwiseWorkload, core: Core) -> float:
    """Of one call with the default tile: a rank for choosing, not a prediction."""
    return _cycles_of(workload, core, default_tile(workload, core))


def _cycles_of(workload: PointwiseWorkload, core: Core, tile: PointwiseTile) -> float:
    if tile.k_lanes > 1:
        return _k_lanes_cycles(workload, core, tile.rows, tile.vectors, tile.k_lanes)
    cycles = _narrowed_cycles if tile.narrows else _modelled_cycles
    return cycles(workload, core, tile.rows, tile.vectors, tile.lanes)


def _k_lanes_cycles(
    workload: PointwiseWorkload, core: Core, rows: int, vectors: int, k_lanes: int
) -> float:
    width = vectors * core.lanes // k_lanes
    tiles = -(-workload.pixels // rows) * -(-workload.outputs // width)
    steps = workload.inputs // k_lanes
    apart = vectors - whole_vectors(workload.outputs, vectors, core.lanes, k_lanes)
    shape = rows, vectors, apart
    return workload.groups * tiles * k_lanes_tile_cycles(core, k_lanes, shape, steps)


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


def _tiled(workload: PointwiseWorkload, core: Core, rows: int, vectors: int, lanes: int) -> int:
    """Pixels that are cut into tiles by default."""
    tail = has_tail(workload, core, rows, vectors, lanes)
    return workload.pixels - workload.pixels % lanes if tail else workload.pixels


def _groups_inner(workload: PointwiseWorkload, core: Core, tile: PointwiseTile) -> bool:
    """Whether the channels of a pixel should be walked as they lie, group by group.

    Where the pictures do not fit the L2 cache and the weights of all groups, which are then read
    for every few pixels, lie near enough. On AVX2 (EPYC, Zen 3, 2026-11-25), 1x g8: 45 of 12
    channels at 28x28 take 107 us instead of 129, 48 of 12 in place 100 instead of 135, 96 of 24 at
    14x14 79 instead of 84; 1x g3: 80 of 20 in place 85 instead of 91. Where the pictures fit, 160
    of 40 at 14x14 take 95 instead of 84. And where a shuffle scatters the inputs of a group
    (`_again_bytes`). With inputs in the lanes it pays for near weights in any case: 20 of 80 in the
    network at 28x28 30.1 us instead of 30.7, at 14x14 7.4 instead of 7.6 (Zen 5, 2026-11-27).
    """
    if workload.layout == "planes" or workload.groups == 1:
        return False
    read_and_written = workload.inputs + workload.outputs
    pictures = FLOAT_BYTES * workload.pixels * workload.groups * read_and_written
    weights = FLOAT_BYTES * workload.groups * workload.inputs * workload.outputs
    l1, l2 = core.l1d_kib * 1024, core.l2_kib * 1024
    is_near = tile.rows >= LEAST_PIXELS_OF_A_PASS and weights <= l2 // 2
    if weights <= l1 // 2 and (pictures > l2 or tile.k_lanes > 1):
        return True
    if pictures > l2:
        return is_near
    return is_near and weights * workload.pixels // tile.rows < _again_bytes(
        workload, core, tile.width
    )


def _again_bytes(workload: PointwiseWorkload, core: Core, width: int) -> int:
    """What tiles of `width` outputs read of a picture beyond L1, one group behind the other.

    All lines of it for each, where a shuffle leaves less of a group side by side than a line. With
    the groups inside the weights are read again instead: 96 of 24 channels of 8 groups at 14x14
    take 28 us instead of 34, 192 of 48 at 7x7 26.4 instead of 28.1 (Zen 5, 2026-11-26). Only with
    AVX-512, where that was measured.
    """
    picture = FLOAT_BYTES * workload.pixels * workload.groups * workload.inputs
    is_scattered = FLOAT_BYTES * workload.inputs < LINE_BYTES * workload.load_rows
    is_far = picture > core.l1d_kib * 1024 and has_avx512(core)
    if workload.load_rows == 1 or not (is_scattered and is_far):
        return 0
    return workload.groups * -(-workload.outputs // width) * picture


def _pixels_outer(workload: PointwiseWorkload, core: Core, rows: int, width: int) -> bool:
    """Whether walking pixels outside and outputs inside reads less through L1."""
    x_bytes = FLOAT_BYTES * workload.inputs * workload.pixels
    w_bytes = FLOAT_BYTES * workload.inputs * workload.outputs
    half_l1 = core.l1d_kib * 1024 // 2
    outputs, pixels = (rows, width) if workload.layout == "planes" else (width, rows)
    w_again = 1 if w_bytes <= half_l1 else -(-workload.pixels // pixels)
    x_again = 1 if x_bytes <= _near_bytes(workload, core, rows) else -(-workload.outputs // outputs)
    return x_bytes + w_bytes * w_again < x_bytes * x_again + w_bytes


def _near_bytes(workload: PointwiseWorkload, core: Core, rows: int) -> int:
    """Of inputs that are as good as in L1 when they are read again.

    Of planes with AVX-512 (Zen 5, 2026-11-26) three quarters of L1, or of L2 where 8 outputs or
    more share a vector, whose multiply-adds then take longer than the vector from there: few rows
    of outputs at a time are streams that the core foresees. 40 of 10 in place take 7.4 us at 28x28
    instead of 7.9, 54 at 60x80 instead of 60, 20 of 40 there 92 instead of 97; 30 of 12 at 120x160,
    whose inputs nearly fill L2, are no faster so.
    """
    l1, l2 = core.l1d_kib * 1024, core.l2_kib * 1024
    if workload.layout == "channels" or not has_avx512(core):
        return l1 // 2
    return (l2 if rows >= LEAST_ROWS_FROM_L2 else l1) * 3 // 4


def _modelled_cycles(
    workload: PointwiseWorkload, core: Core, rows: int, vectors: int, lanes: int
) -> float:
    pixels = _tiled(workload, core, rows, vectors, lanes)
    across, along = axes_of(replace(workload, pixels=pixels))
    tiles = -(-across // rows) * -(-along // (vectors * lanes))
    shared = 1 / sharings(workload, core, rows, vectors, lanes)[0]
    cycles = tile_cycles(
        core,
        POINTWISE_COSTS[workload.layout],
        lanes,
        rows,
        vectors - 1 + shared,
        workload.inputs,
        shortcut=workload.shortcut,
    )
    if _weights_come_again(workload, core):
        cycles += WEIGHTS_AGAIN_CYCLES * vectors * workload.inputs
    if vectors * lanes > along and core.vector_registers == AVX2_REGISTERS:
        cycles += rows * STORED_IN_PART_CYCLES
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
