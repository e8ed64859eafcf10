"""Tiles of the stem with its pool, channels in the lanes: those that fit a core's registers."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from compile.schedules.registers import accumulator_budget, has_avx512
from compile.schedules.stem_pool_workload import COLUMNS, ROWS, StemPoolWorkload
from deploy_rpc.cores import Core

VALUES_OF_HALVES = 2  # of the pool side by side, by default


@dataclass(frozen=True)
class StemPoolChannelsTile:
    """The decisions: `vectors` of `lanes` channels of `values` of the pool, four accumulators each.

    With `halved` half a vector is left of the channels, which takes as many as a whole one: those
    between columns, too.
    """

    vectors: int
    lanes: int
    values: int = 1
    halved: bool = False

    @property
    def accumulators(self) -> int:
        """Vectors of sums."""
        return self.values * ROWS * COLUMNS * (self.vectors + self.halved)

    @property
    def width(self) -> int:
        """Channels of a tile in whole vectors."""
        return self.vectors * self.lanes

    @property
    def packed_width(self) -> int:
        """Weights of a tap: what is halved has two."""
        return self.width + self.halved * self.lanes


def is_offered(workload: StemPoolWorkload, core: Core) -> bool:
    """Whether `core` has the template, and it can make `workload` in whole vectors, or with
    AVX-512 in whole ones and a half.
    """
    whole, rest = divmod(workload.outputs, core.lanes)
    fits = rest == 0 or (has_avx512(core) and whole > 0 and _is_half(rest, core))
    able = core.isa == "x86_64" and workload.is_even and fits
    return able and bool(fitting_tiles(workload, core))


def _is_half(channels: int, core: Core) -> bool:
    return COLUMNS * channels == core.lanes


def default_tile(workload: StemPoolWorkload, core: Core) -> StemPoolChannelsTile:
    """As many vectors as the registers hold; two values of the pool where half a vector is left."""
    tiles = fitting_tiles(workload, core)
    most = VALUES_OF_HALVES if tiles[0].halved else 1
    fitting = (tile for tile in tiles if tile.values <= most)
    return max(fitting, key=lambda tile: (tile.vectors, tile.values))


def fitting_tiles(workload: StemPoolWorkload, core: Core) -> list[StemPoolChannelsTile]:
    """Tiles without overlap whose accumulators fit the registers."""
    whole, rest = divmod(workload.outputs, core.lanes)
    columns = workload.output_size[1]
    most = accumulator_budget(core)
    counts = [whole] if rest else [count for count in range(1, whole + 1) if whole % count == 0]
    tiles = (
        StemPoolChannelsTile(count, core.lanes, values, rest > 0)
        for values, count in itertools.product((1, 2, 3, 4), counts)
        if columns % values == 0
    )
    return [tile for tile in tiles if tile.accumulators <= most]
