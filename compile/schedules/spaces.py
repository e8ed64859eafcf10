"""Which decisions a template leaves open on a core: every tile that fits its registers.

Points that are known to spill, or that cannot run (in place where tiles overlap), are not among
them, so no board sees one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from compile.schedules import (
    dense_tiles,
    int8_depthwise,
    int8_head,
    int8_pointwise,
    int8_stem,
    int8_tiles,
    pointwise_choices,
    pointwise_default,
    pointwise_tiles,
    stem_pool,
    stem_pool_channels_tiles,
    stem_pool_winograd_tiles,
    window_channels_tiles,
    window_tiles,
)
from compile.schedules.int8_tiles import Int8Tile
from compile.schedules.int8_workloads import Int8PointwiseWorkload
from compile.schedules.pointwise_tiles import PointwiseTile
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.precision import dtype_of
from compile.schedules.templates import TEMPLATES, Workload, template_of
from compile.schedules.window_tiles import WindowTile
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core

UNROLLS = (1, 2, 4, 5, 8, 10)  # of K: longer bodies leave the instruction cache's loop buffer


def space_of(workload: Workload, core: Core) -> list[Any]:
    """The tiles to choose from for `workload`, the default one first; without repetition."""
    name, core = template_of(workload), core.of(dtype_of(workload))
    default = TEMPLATES[name].default_tile(workload, core)
    others = SPACES[name](workload, core) if name in SPACES else iter(())
    return list(dict.fromkeys([default, *others]))


def _pointwise(workload: PointwiseWorkload, core: Core) -> Iterator[PointwiseTile]:
    default = pointwise_default.usual_tile(workload, core)
    unrolls = [step for step in UNROLLS if workload.inputs % step == 0]
    shapes = pointwise_choices.fitting_tiles(workload, core)
    prefetches = pointwise_choices.prefetches(workload, core)
    orders = [(True, False), (False, False)]  # pixels_outer, groups_inner
    if workload.layout == "channels" and workload.groups > 1:
        orders.append((False, True))
    fetches = _different(pointwise_choices.prefetches_shortcut(workload, core), False)
    spread_bias = pointwise_choices.can_spread_bias(workload, core)
    for shape in shapes:
        tails = _different(pointwise_choices.has_tail(workload, core, *shape), False)
        sharings = pointwise_choices.sharings(workload, core, *shape)
        paired = pointwise_choices.can_pair(workload, core, shape[1])
        peels = [(True, False, False), (False, False, False)]  # peel, peel_first, eased
        if spread_bias or paired:  # both where both can be: each alone tripled the space
            peels += [(True, False, True), (False, False, True)]
        if spread_bias:  # there is something for the first step to overlap
            peels.append((False, True, True))
        ends = list(itertools.product(tails, sharings, (False,)))  # tail, sharing, narrows
        if pointwise_choices.can_narrow(workload, core, *shape[1:]):
            ends.append((False, 1, True))
        choices = itertools.product(unrolls, orders, peels, ends, fetches)
        for unroll, (outer, inner), (peel, peel_first, eased), end, fetched in choices:
            tail, sharing, narrows = end
            rows, vectors, lanes = shape
            can_peel = pointwise_choices.can_peel(workload, unroll)
            tile = replace(
                default,
                rows=rows,
                vectors=vectors,
                lanes=lanes,
                k_unroll=unroll,
                pixels_outer=outer,
                prefetch=prefetches and not (outer or inner or peel),
                row_lanes=pointwise_choices.row_lanes(workload, core, rows),
                peel=peel and can_peel,
                peel_first=peel_first and can_peel,
                groups_inner=inner,
                tail=tail,
                sharing=sharing,
                spread_bias=eased and spread_bias,
                paired=eased and paired,
                prefetch_shortcut=fetched,
                narrows=narrows,
            )
            if not workload.in_place or pointwise_tiles.runs_in_place(workload, tile):
                yield tile
            if not eased and pointwise_choices.can_halve(workload, core, tile):
                yield replace(tile, halves=True)
    yield from _in_k_lanes(workload, core, default)


def _in_k_lanes(
    workload: PointwiseWorkload, core: Core, default: PointwiseTile
) -> Iterator[PointwiseTile]:
    """Tiles that have inputs in the lanes, too."""
    prefetches = pointwise_choices.prefetches(workload, core)
    for rows, vectors, k_lanes in pointwise_choices.k_lane_tiles(workload, core):
        shape = replace(default, rows=rows, vectors=vectors, k_lanes=k_lanes)
        tile = pointwise_default.in_k_lanes(workload, core, shape)
        unrolls = [step for step in UNROLLS[:3] if workload.inputs // k_lanes % step == 0]
        orders = _different((tile.pixels_outer, tile.groups_inner), (False, False))
        for unroll, (outer, inner) in itertools.product(unrolls, orders):
            yield replace(
                tile,
                k_unroll=unroll,
                pixels_outer=outer,
                groups_inner=inner,
                prefetch=prefetches and not (outer or inner),
            )


def _different(*choices: Any) -> tuple[Any, ...]:  # noqa: ANN401 (any decision's)
    """Each of `choices` once."""
    return tuple(dict.fromkeys(choices))


def _window(workload: WindowWorkload, core: Core) -> Iterator[WindowTile]:
    for tile in window_tiles.fitting_tiles(workload, core):
        yield from window_tiles.banded(workload, tile, core)
    yield from window_tiles.tiles_in_registers(workload, core)


def _int8_pointwise(workload: Int8PointwiseWorkload, core: Core) -> Iterator[Int8Tile]:
    extents = workload.outputs, workload.inputs, workload.pixels
    for tile in int8_tiles.space_of_tiles(*extents, core, workload.groups):
        if not workload.in_place or int8_pointwise.runs_in_place(workload, tile):
            yield tile


SPACES: dict[str, Callable[[Any, Core], Iterable[Any]]] = {
    "pointwise": _pointwise,
    "window": _window,
    "window_channels": window_channels_tiles.fitting_tiles,
    "stem_pool": stem_pool.fitting_tiles,
    "stem_pool_channels": stem_pool_channels_tiles.fitting_tiles,
    "stem_pool_winograd": stem_pool_winograd_tiles.fitting_tiles,
    "dense": dense_tiles.fitting_tiles,
    "int8_pointwise": _int8_pointwise,
    "int8_depthwise": int8_depthwise.fitting_tiles,
    "int8_stem": int8_stem.fitting_tiles,
    "int8_dense": int8_head.fitting_tiles,
}
