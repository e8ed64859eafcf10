"""Tiles of int8 products: those whose sums fit a core's registers, the cheapest by instructions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from compile.schedules.int8_lanes import DEPTHS, Dots, dots_of, sum_lanes
from compile.schedules.int8_steps import unrolls_of
from compile.schedules.overlap import tile_starts
from deploy_rpc.cores import Core

ACCUMULATORS = {"sdot": 28, "pairs": 10, "single": 24}  # vector registers for sums
MOST_ROWS, MOST_VECTORS = 12, 14
STORE_CYCLES = 0.9  # of starting one vector of sums and making int8 of it, in those of a product


@dataclass(frozen=True)
class Int8Tile:
    """The decisions: `rows` outputs by `vectors` of `lanes` pixels, and `k_unroll` steps of inputs
    an iteration; with `pixels_inner` a group's weights stay while all of its pixels come by.
    """

    dots: Dots
    rows: int
    vectors: int
    lanes: int
    k_unroll: int = 1
    pixels_inner: bool = False

    @property
    def pixels(self) -> int:
        """Of a tile, those that hold nothing included."""
        return self.vectors * self.lanes

    @property
    def depth(self) -> int:
        """Inputs of a step."""
        return DEPTHS[self.dots]


def default_tile(
    outputs: int, inputs: int, pixels: int, core: Core, most_vectors: int = MOST_VECTORS
) -> Int8Tile:
    """The tile with the fewest cycles, by a count of its instructions."""
    tiles = [t for t in fitting_tiles(outputs, pixels, core) if t.vectors <= most_vectors]
    return min(tiles, key=lambda tile: _cost(tile, outputs, inputs, pixels))


def space_of_tiles(
    outputs: int, inputs: int, pixels: int, core: Core, groups: int = 1
) -> Iterator[Int8Tile]:
    """Every decision for `groups` of so many outputs and inputs of a sum."""
    for tile in fitting_tiles(outputs, pixels, core):
        unrolls = unrolls_of(-(-inputs // tile.depth))
        orders = (False, True) if groups > 1 and pixels > tile.pixels else (False,)
        for unroll, pixels_inner in itertools.product(unrolls, orders):
            yield replace(tile, k_unroll=unroll, pixels_inner=pixels_inner)


def fitting_tiles(outputs: int, pixels: int, core: Core) -> list[Int8Tile]:
    """The tiles whose sums fit the registers, and which are no larger than they need be."""
    dots, lanes = dots_of(core), sum_lanes(core)
    rows = range(1, min(outputs, MOST_ROWS) + 1)
    vectors = range(1, min(-(-pixels // lanes), MOST_VECTORS) + 1)
    return [
        Int8Tile(dots, r, v, lanes)
        for r, v in itertools.product(rows, vectors)
        if r * v <= ACCUMULATORS[dots]
    ]


def is_exact(tile: Int8Tile, outputs: int, pixels: int) -> bool:
    """Whether every value is computed once: then it may replace what it is added to."""
    whole = pixels % tile.pixels == 0 or pixels <= tile.pixels
    return whole and outputs % tile.rows == 0


def _cost(tile: Int8Tile, outputs: int, inputs: int, pixels: int) -> float:
    steps = -(-inputs // tile.depth)
    products = tile.rows * tile.vectors
    loads = tile.vectors + tile.rows / (4 if tile.dots == "sdot" else 1)
    step = max(products, loads, 8)
    ends = STORE_CYCLES * products + tile.rows
    packing = steps * tile.vectors * tile.depth / 2
    panels = len(tile_starts(max(pixels, tile.pixels), tile.pixels))
    tiles = -(-outputs // tile.rows) * panels
    return tiles * (steps * step + ends) + panels * packing
