"""Tiles of a fully connected layer: those that fit a core's registers, the default among them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.maximum import has_maxnum
from compile.schedules.registers import accumulator_budget
from deploy_rpc.cores import Core

MAX_WIDTH = 64  # outputs of a tile: threads are to find enough tiles
INPUT_LOADS = 0.5  # of a row: an input is broadcast beside the weights
SUMS = range(2, 9)  # streams that the caches fetch ahead of
HALF_ACCUMULATORS = 24  # 8 x 3 take 84 thousand modelled cycles for 960 means on N1, 8 x 2 86
MOST_HALF_STEPS = 128  # products in a sum of float16: longer ones lose more to rounding
HALF = "float16"
QUAD = 4  # vectors of weights of 24 bits lie together


@dataclass(frozen=True)
class DenseTile:
    """The decisions: accumulators are `sums` x `vectors` vectors of `lanes` outputs."""

    sums: int
    vectors: int
    lanes: int
    maxnum: bool = False

    @property
    def width(self) -> int:
        """Outputs of a tile."""
        return self.vectors * self.lanes


def default_tile(workload: DenseWorkload, core: Core) -> DenseTile:
    """The tile with the least loads, of those the one with most accumulators."""

    def cost(tile: DenseTile) -> tuple[float, int]:
        """Loads of weights, and of one input for each row of them."""
        m_tiles = -(-workload.outputs // tile.width)
        return m_tiles * (tile.vectors + INPUT_LOADS), -tile.sums * tile.vectors

    return min(fitting_tiles(workload, core), key=cost)


def fitting_tiles(workload: DenseWorkload, core: Core) -> list[DenseTile]:
    """The tiles whose accumulators fit the registers."""
    lanes = min(core.lanes, 1 << (workload.outputs.bit_length() - 1))
    vectors = range(1, min(MAX_WIDTH, workload.outputs) // lanes + 1)
    sums = [count for count in SUMS if count <= workload.inputs] or [1]
    budget = accumulator_budget(core)
    if has_24_bits(workload):
        vectors = range(QUAD, vectors.stop, QUAD)
        budget -= QUAD  # words on their way to weights
    if workload.dtype == HALF:
        budget = HALF_ACCUMULATORS
        sums = [n for n in sums if workload.inputs <= n * MOST_HALF_STEPS] or sums[-1:]
    return [
        DenseTile(*shape, lanes, has_maxnum(core))
        for shape in itertools.product(sums, vectors)
        if math.prod(shape) <= budget
    ]


def has_24_bits(workload: DenseWorkload) -> bool:
    """Whether weights are whole numbers of 24 bits (`dense_words.py`)."""
    return workload.weight_bits == 24


def each_value(tile: DenseTile) -> Iterator[tuple[tirx.Expr, tirx.Expr]]:
    """The loops over one partial sum's accumulators; the body runs once, inside them."""
    with T.unroll(tile.vectors) as vector, T.vectorized(tile.lanes) as lane:
        yield vector, lane
