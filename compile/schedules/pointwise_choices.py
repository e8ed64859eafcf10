"""Which decisions a grouped 1x1 convolution may take on a core: tiles that fit its registers, and
where each way of doing without some loads or stores is to be had.
"""

from __future__ import annotations

import itertools

from compile.schedules.pointwise_tiles import (
    PointwiseTile,
    accumulators,
    axes_of,
    overlaps_none,
)
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.registers import (
    AVX512_K_LANES,
    LINE_BYTES,
    accumulator_budget,
    has_avx512,
    weights_per_load,
)
from compile.schedules.tiles import lane_choices
from compile.schedules.volatile import can_spread
from deploy_rpc.cores import Core

MOST_PIXELS_OF_FEW_OUTPUTS = 512  # that have inputs in the lanes, too; measured at 14x14 and 28x28


def fitting_tiles(workload: PointwiseWorkload, core: Core) -> list[tuple[int, int, int]]:
    """Rows, vectors and lanes of the tiles whose accumulators fit the registers.

    Some only where pixels share the last vector: 7 vectors of 4 pixels are 25 then, not 28.
    """
    across, along = axes_of(workload)
    most = accumulator_budget(core, row_lanes(workload, core, rows=0))
    padded = workload.layout == "channels"
    return [
        (rows, vectors, lanes)
        for lanes in lane_choices(along, core, padded=padded)
        for rows, vectors in itertools.product(range(1, most + 1), repeat=2)
        if rows <= across
        and sharings(workload, core, rows, vectors, lanes)
        and (vectors * lanes <= along or (padded and (vectors - 1) * lanes < along))
    ]


def k_lane_tiles(workload: PointwiseWorkload, core: Core) -> list[tuple[int, int, int]]:
    """Rows, vectors and `k_lanes` of the tiles that have inputs in the lanes, too.

    Where that was measured: with AVX-512, channels in the lanes, and the inputs of a group side by
    side in memory. Sums begin with nothing, so there may be no shortcut to begin with.
    """
    plain = workload.load_rows == workload.shuffle_rows == 1 and not workload.shortcut
    if workload.layout == "planes" or not (has_avx512(core) and plain and not workload.floor):
        return []
    most = accumulator_budget(core)
    return [
        (rows, vectors, k_lanes)
        for k_lanes in AVX512_K_LANES
        for rows, vectors in itertools.product(range(1, most + 1), repeat=2)
        if workload.inputs % k_lanes == 0
        and rows <= workload.pixels
        and rows * vectors <= most
        and _is_filled(workload, core, vectors, core.lanes // k_lanes)
    ]


def _is_filled(workload: PointwiseWorkload, core: Core, vectors: int, count: int) -> bool:
    """Whether a group has outputs for `vectors` of `count` each.

    The last may begin earlier where outputs alone would not fill one vector. Of more outputs such
    a tile loses to one whose pixels share a vector: (4, 34, 136, 196) takes 28.9 us, 27.1 so (one
    thread of an EPYC, Zen 5, AVX-512, shared, 2026-11-27). Of more pixels planes are faster on one
    thread, (3, 10, 40, 784) 7.5 us against 10.4, and a sum in another order would hold several
    threads to them (`choose_layouts`).
    """
    if vectors * count <= workload.outputs:
        return True
    few = count <= workload.outputs < core.lanes and workload.pixels <= MOST_PIXELS_OF_FEW_OUTPUTS
    return few and (vectors - 1) * count < workload.outputs


def can_narrow(workload: PointwiseWorkload, core: Core, vectors: int, lanes: int) -> bool:
    """Whether the last tile of a group's outputs would have fewer vectors than the others.

    Where it was measured: with AVX-512 and a shortcut, since only in place all tiles have to be
    exact. By 7 pixels of 2 vectors, against the tile that divides 17, 25 and 5 vectors, or begins
    earlier and is not in place: (4, 272, 68, 49) 27.2 us instead of 32.4, (2, 400, 100, 49) 29.3
    instead of 35.2, (3, 80, 20, 49) 1.89 instead of 2.06, (2, 200, 50, 196) 31.0 instead of 33.3
    (one thread of an EPYC, Zen 5, shared, 2026-11-27).
    """
    width = vectors * lanes
    known = has_avx512(core) and lanes == core.lanes and workload.layout == "channels"
    return known and workload.shortcut and workload.outputs > width and workload.outputs % width > 0


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


def sharings(
    workload: PointwiseWorkload, core: Core, rows: int, vectors: int, lanes: int
) -> list[int]:
    """How many pixels may share the last vector of a tile, the most first; 1 is each its own.

    Those whose accumulators fit the registers, none where no number does. On ARM, where it was not
    measured, pixels share none; with AVX2 a tile has to fit without, too.
    """
    shared = _sharing_of(workload, rows, vectors, lanes) if core.isa == "x86_64" else 1
    budget = accumulator_budget(core, row_lanes(workload, core, rows))
    fitting = [
        each for each in dict.fromkeys((shared, 1)) if accumulators(rows, vectors, each) <= budget
    ]
    return fitting if has_avx512(core) or 1 in fitting else []


def _sharing_of(workload: PointwiseWorkload, rows: int, vectors: int, lanes: int) -> int:
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
    return planes and inner and is_peeled and steps and is_of_use and overlaps_none(workload, tile)


def prefetches(workload: PointwiseWorkload, core: Core) -> bool:
    """Whether weights come from beyond the caches of a core that has lines to spare for them."""
    return core.isa == "x86_64" and workload.layout == "channels"


def prefetches_shortcut(workload: PointwiseWorkload, core: Core) -> bool:
    """Whether a shortcut fills more than half of the L2 cache: then it comes from beyond it.

    With AVX-512 (Zen 5, 2026-11-27) the core foresees it: 80 of 20 channels of three groups at
    28x28 take 28.1 to 28.8 us in the network without, 28.3 to 29.8 with; larger ones are the same.
    """
    shortcut = core.value_bytes * workload.channels * workload.pixels
    is_far = shortcut > core.l2_kib * 1024 // 2
    foresees = has_avx512(core)
    return workload.shortcut and is_far and not foresees and prefetches(workload, core)
