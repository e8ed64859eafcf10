"""Tiles of the stem whose rows share products: those that fit a core's registers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from compile.schedules.registers import accumulator_budget, has_avx512
from compile.schedules.stem_pool_workload import StemPoolWorkload
from deploy_rpc.cores import Core

SUMS = 3  # own of the upper row, shared, own of the lower row
VECTORS = (2, 4, 6)  # pairs of them make whole vectors of the pool
# Of each term the sum that its product goes to, and which of the weights it is multiplied by.
TERMS = ((0, 0), (0, 1), (1, 2), (2, 1), (2, 3))
KINDS = 4  # of weights: w0, w1, w0 + w2, -w2


@dataclass(frozen=True)
class StemPoolWinogradTile:
    """The decisions: `channels` x `vectors` of `lanes` columns, three accumulators each."""

    channels: int
    vectors: int
    lanes: int

    @property
    def accumulators(self) -> int:
        """Vectors of sums."""
        return SUMS * self.channels * self.vectors


def is_offered(workload: StemPoolWorkload, core: Core) -> bool:
    """Whether `core` has the template, and `workload` a whole vector of columns."""
    wide = workload.convolved_shape[2] >= core.lanes
    return has_avx512(core) and workload.is_even and wide


def default_tile(workload: StemPoolWorkload, core: Core) -> StemPoolWinogradTile:
    """The most accumulators, of those with as many the ones that load least in a step."""

    def rank(tile: StemPoolWinogradTile) -> tuple[int, int]:
        loads = len(TERMS) * tile.vectors + KINDS * tile.channels
        return tile.accumulators, -loads

    return max(fitting_tiles(workload, core), key=rank)


def fitting_tiles(workload: StemPoolWorkload, core: Core) -> Iterator[StemPoolWinogradTile]:
    """Tiles without overlap whose accumulators fit the registers."""
    most = accumulator_budget(core)
    for channels, vectors in itertools.product(range(1, most + 1), VECTORS):
        tile = StemPoolWinogradTile(channels, vectors, core.lanes)
        if workload.outputs % channels == 0 and tile.accumulators <= most:
            yield tile
