"""The templates by name, and the note in each kernel of which one made it, from what decisions.

A pass that finds a kernel can so make it again for a changed workload, by `made_from`, without a
table beside the module.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from tvm import tirx

from compile.schedules import (
    dense,
    dense_tiles,
    int8_conversion,
    int8_depthwise,
    int8_head,
    int8_pointwise,
    int8_stem,
    lrn,
    pointwise,
    pointwise_default,
    pointwise_tiles,
    pool,
    pool_tiles,
    stem_pool,
    stem_pool_channels,
    stem_pool_channels_tiles,
    stem_pool_winograd,
    stem_pool_winograd_tiles,
    window,
    window_channels,
    window_channels_tiles,
    window_tiles,
)
from compile.schedules.dense_tiles import DenseTile
from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.int8_conversion import ConversionTile, ConversionWorkload
from compile.schedules.int8_depthwise import Int8DepthwiseTile
from compile.schedules.int8_head import Int8DenseTile
from compile.schedules.int8_tiles import Int8Tile
from compile.schedules.int8_workloads import (
    Int8DenseWorkload,
    Int8PointwiseWorkload,
    Int8WindowWorkload,
)
from compile.schedules.lrn import LrnTile, LrnWorkload
from compile.schedules.pointwise_tiles import PointwiseTile
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.pool_tiles import PoolTile
from compile.schedules.precision import dtype_of, stated_fields
from compile.schedules.stem_pool import StemPoolTile
from compile.schedules.stem_pool_channels_tiles import StemPoolChannelsTile
from compile.schedules.stem_pool_winograd_tiles import StemPoolWinogradTile
from compile.schedules.stem_pool_workload import StemPoolWorkload
from compile.schedules.window_channels_tiles import WindowChannelsTile
from compile.schedules.window_tiles import WindowTile
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core

Convolution = PointwiseWorkload | WindowWorkload
Workload = Convolution | StemPoolWorkload | DenseWorkload | LrnWorkload | ConversionWorkload
NOTE = "template"
# Of each kind, what was made last: layers, passes and levels of a network ask for the same again.
# One level after another takes 0.84 s for 1x g3 instead of 1.01 (Xeon, Emerald Rapids, 2026-11-27).
REMEMBERED = 512


@dataclasses.dataclass(frozen=True)
class Template:
    """How a kind of kernel is made: its types, default decisions, PrimFunc and weights.

    `unpack_weights` is needed where packed ones are more than weights in another order; of such it
    may give None.
    """

    workload: type
    tile: type
    default_tile: Callable[[Any, Core], Any]
    make: Callable[[Any, Any, int], tirx.PrimFunc]
    pack_weights: Callable[[np.ndarray, Any, Any], np.ndarray] | None = None
    unpack_weights: Callable[[np.ndarray, Any, Any], np.ndarray | None] | None = None
    runs_in_place: Callable[[Any, Any], bool] | None = None
    is_offered: Callable[[Any, Core], bool] | None = None  # by default to every workload


# fmt: off
TEMPLATES = {
    "pointwise": Template(
        PointwiseWorkload, PointwiseTile, pointwise_default.default_tile, pointwise.pointwise,
        pointwise.pack_weights, runs_in_place=pointwise_tiles.runs_in_place,
    ),
    "window": Template(
        WindowWorkload, WindowTile, window_tiles.default_tile, window.window, window.pack_weights
    ),
    "window_channels": Template(
        WindowWorkload, WindowChannelsTile, window_channels_tiles.default_tile,
        window_channels.window_channels, window_channels.pack_weights,
    ),
    "pool": Template(WindowWorkload, PoolTile, pool_tiles.default_tile, pool.pool),
    "stem_pool": Template(
        StemPoolWorkload, StemPoolTile, stem_pool.default_tile, stem_pool.stem_pool,
        stem_pool.pack_weights, is_offered=stem_pool.is_offered,
    ),
    "stem_pool_channels": Template(
        StemPoolWorkload, StemPoolChannelsTile, stem_pool_channels_tiles.default_tile,
        stem_pool_channels.stem_pool_channels, stem_pool_channels.pack_weights,
        is_offered=stem_pool_channels_tiles.is_offered,
    ),
    "stem_pool_winograd": Template(
        StemPoolWorkload, StemPoolWinogradTile, stem_pool_winograd_tiles.default_tile,
        stem_pool_winograd.stem_pool_winograd, stem_pool_winograd.pack_weights,
        unpack_weights=stem_pool_winograd.unpack_weights,
        is_offered=stem_pool_winograd_tiles.is_offered,
    ),
    "dense": Template(
        DenseWorkload, DenseTile, dense_tiles.default_tile, dense.dense, dense.pack_weights,
        unpack_weights=dense.unpack_weights,
    ),
    "lrn": Template(LrnWorkload, LrnTile, lrn.default_tile, lrn.lrn),
    "int8_pointwise": Template(
        Int8PointwiseWorkload, Int8Tile, int8_pointwise.default_tile,
        int8_pointwise.int8_pointwise, int8_pointwise.pack_weights,
        runs_in_place=int8_pointwise.runs_in_place,
    ),
    "int8_depthwise": Template(
        Int8WindowWorkload, Int8DepthwiseTile, int8_depthwise.default_tile,
        int8_depthwise.int8_depthwise, int8_depthwise.pack_weights,
    ),
    "int8_stem": Template(
        Int8WindowWorkload, Int8Tile, int8_stem.default_tile, int8_stem.int8_stem,
        int8_stem.pack_weights,
    ),
    "int8_dense": Template(
        Int8DenseWorkload, Int8DenseTile, int8_head.default_tile, int8_head.int8_dense,
        int8_head.pack_weights,
    ),
    "int8_conversion": Template(
        ConversionWorkload, ConversionTile, int8_conversion.default_tile,
        int8_conversion.int8_conversion,
    ),
}
# fmt: on
CYCLES: dict[str, Callable[[Any, Core], float]] = {
    "pointwise": pointwise_default.modelled_cycles,
    "window": window_tiles.modelled_cycles,
    "window_channels": window_channels_tiles.modelled_cycles,
}


@dataclasses.dataclass(frozen=True)
class Made:
    """What a kernel was made from."""

    template: str
    workload: Any
    tile: Any
    threads: int

    def kernel(self) -> tirx.PrimFunc:
        """The PrimFunc, with the note of all this."""
        return _kernel_of(self)

    def packed(self, weights: np.ndarray) -> np.ndarray:
        """`weights`, OIHW or (M, K), in the order in which the kernel uses them."""
        return TEMPLATES[self.template].pack_weights(weights, self.workload, self.tile)


@functools.lru_cache(REMEMBERED)
def _kernel_of(made: Made) -> tirx.PrimFunc:
    function = TEMPLATES[made.template].make(made.workload, made.tile, made.threads)
    note = dataclasses.asdict(made) | {"workload": stated_fields(made.workload)}
    return function.with_attr(NOTE, repr(note))


def template_of(workload: Workload) -> str:
    """The name of the template for `workload`."""
    names = {
        PointwiseWorkload: "pointwise",
        Int8PointwiseWorkload: "int8_pointwise",
        Int8DenseWorkload: "int8_dense",
        DenseWorkload: "dense",
        LrnWorkload: "lrn",
        ConversionWorkload: "int8_conversion",
    }
    if type(workload) in names:
        return names[type(workload)]
    if isinstance(workload, Int8WindowWorkload):
        return "int8_depthwise" if workload.is_channelwise else "int8_stem"
    if isinstance(workload, StemPoolWorkload):
        if workload.winograd:
            return "stem_pool_winograd"
        return "stem_pool" if workload.layout == "planes" else "stem_pool_channels"
    if workload.layout == "channels":
        return "window_channels"
    return "window" if workload.kind == "conv" else "pool"


def is_offered(workload: Workload, core: Core) -> bool:
    """Whether `core` has the template for `workload`, and it can make it."""
    offers = TEMPLATES[template_of(workload)].is_offered
    return offers is None or offers(workload, core)


def runs_in_place(made: Made) -> bool:
    """Whether the shortcut of `made` may be the output itself."""
    allows = TEMPLATES[made.template].runs_in_place
    return allows is not None and allows(made.workload, made.tile)


@functools.lru_cache(REMEMBERED)
def made_by_default(workload: Workload, core: Core, threads: int) -> Made:
    """`workload` with the decisions that the core's table gives."""
    name, core = template_of(workload), core.of(dtype_of(workload))
    return Made(name, workload, TEMPLATES[name].default_tile(workload, core), threads)


@functools.lru_cache(REMEMBERED)
def modelled_cycles(workload: Convolution, core: Core) -> float:
    """Of one call with default decisions: a rank for choosing, not a prediction."""
    return CYCLES[template_of(workload)](workload, core.of(dtype_of(workload)))


def made_from(function: tirx.PrimFunc) -> Made | None:
    """What `function` was made from; None for a kernel that no template made."""
    note = (function.attrs or {}).get(NOTE)
    if note is None:
        return None
    fields = ast.literal_eval(str(note))
    template = TEMPLATES[fields["template"]]
    return Made(
        template=fields["template"],
        workload=template.workload(**fields["workload"]),
        tile=template.tile(**fields["tile"]),
        threads=fields["threads"],
    )
