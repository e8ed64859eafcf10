"""Local response normalisation across channels: each value divided by a power of those around it.

    Y[c, n] = X[c, n] / (bias + alpha * sum_{j = c - before .. c + after} X[j, n]^2) ^ 0.75

The exponent is 0.75 alone: s^0.75 is sqrt(s) * sqrt(sqrt(s)), three roundings, where a general
power is a call per value. The loop nests, over blocks of pixels n that stay in L1:

    planes:    for block: for c, vector: Y[c, vector] = f(X[c, vector], sum_j X[c + j, vector]^2)
    channels:  for block: for n, vector: squares[n, before + vector] = X[n, vector]^2
               for n, vector: Y[n, vector] = f(X[n, vector], sum_j squares[n, vector + j])

Planes have pixels in the lanes, and the first and last channels their own loops with fewer
neighbours. Channels in the lanes read beyond both ends: the scratch `squares` has zeros there. As
in `pointwise`, the last block or vector begins earlier, so there is no tail.

The window's sum is computed anew for each channel. Sliding it would save little: the sum is FMAs,
and two thirds of the time are square roots and the division (without them 96x55x55 takes 55 to 84
us instead of 170). It would also subtract, and lose digits where alpha is large.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.layouts import Layout, matrix_shape
from compile.schedules.overlap import start_of, tile_starts
from deploy_rpc.cores import Core

EXPONENT = 0.75  # the only one
PLANES_BLOCK = 64  # pixels, whole vectors
CHANNELS_BLOCK = 4  # pixels: enough that no load waits for the store of a neighbour
FLOAT = "float32"

Loop = Callable[..., AbstractContextManager]  # T.serial or T.parallel


@dataclass(frozen=True)
class LrnWorkload:
    """C `channels` at N `pixels`; a channel is normalised with `before` and `after` others.

    `layout` is of what is given and of what comes out: "planes" (C, N) or "channels" (N, C).
    """

    channels: int
    pixels: int
    before: int
    after: int
    alpha: float
    bias: float
    layout: Layout = "planes"

    @property
    def macs(self) -> int:
        """None: as with pools, only convolutions and dense layers count."""
        return 0

    @property
    def output_layout(self) -> Layout:
        """That of the input."""
        return self.layout

    @property
    def shape(self) -> tuple[int, int]:
        """Of the input and the output."""
        return matrix_shape(self.layout, self.channels, self.pixels)


@dataclass(frozen=True)
class LrnTile:
    """The decisions: `pixels` in a block; `lanes` pixels or channels in a vector."""

    pixels: int
    lanes: int


def default_tile(workload: LrnWorkload, core: Core) -> LrnTile:
    """Whole vectors of pixels for planes, a few pixels with all their channels otherwise."""
    in_lanes = workload.pixels if workload.layout == "planes" else workload.channels
    lanes = min(core.lanes, 1 << (in_lanes.bit_length() - 1))
    if workload.layout == "planes":
        return LrnTile(min(PLANES_BLOCK, workload.pixels) // lanes * lanes, lanes)
    return LrnTile(min(CHANNELS_BLOCK, workload.pixels), lanes)


def lrn(workload: LrnWorkload, tile: LrnTile, threads: int) -> tirx.PrimFunc:
    """The kernel: parameters X and Y, float32, of the workload's shape.

    Several threads share the blocks of pixels.
    """
    normalise = _normalise_planes if workload.layout == "planes" else _normalise_channels
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("lrn")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg("X", T.Buffer(workload.shape, FLOAT))
        y = T.arg("Y", T.Buffer(workload.shape, FLOAT))
        shared = T.parallel if threads > 1 else T.serial
        with shared(len(tile_starts(workload.pixels, tile.pixels))) as index:
            normalise(workload, tile, start_of(index, tile.pixels, workload.pixels), x, y)
    return builder.get().without_attr("global_symbol")


def _normalise_planes(
    workload: LrnWorkload, tile: LrnTile, block: tirx.Expr, x: tirx.Buffer, y: tirx.Buffer
) -> None:
    for run in _runs(workload):
        each_vector, lanes = T.serial(tile.pixels // tile.lanes), T.vectorized(tile.lanes)
        with T.serial(run.first, run.stop) as channel, each_vector as vector, lanes as lane:
            pixel = block + vector * tile.lanes + lane
            near = [x[channel + offset, pixel] for offset in run.offsets]
            total = _sum([value * value for value in near])
            T.buffer_store(y, _normalised(workload, x[channel, pixel], total), [channel, pixel])


@dataclass(frozen=True)
class _Run:
    """Channels side by side whose neighbours lie at the same `offsets` from them."""

    first: int
    stop: int
    offsets: range


def _runs(workload: LrnWorkload) -> Iterator[_Run]:
    def offsets(channel: int) -> range:
        last = min(workload.after, workload.channels - 1 - channel)
        return range(-min(workload.before, channel), last + 1)

    for near, group in itertools.groupby(range(workload.channels), offsets):
        channels = list(group)
        yield _Run(channels[0], channels[-1] + 1, near)


def _normalise_channels(
    workload: LrnWorkload, tile: LrnTile, block: tirx.Expr, x: tirx.Buffer, y: tirx.Buffer
) -> None:
    width = workload.before + workload.channels + workload.after
    squares = T.alloc_buffer((tile.pixels, width), FLOAT)
    with T.serial(tile.pixels) as pixel:
        for beside in (*range(workload.before), *range(width - workload.after, width)):
            T.buffer_store(squares, tirx.const(0, FLOAT), [pixel, beside])
        for channel in _each_channel(workload, tile):
            value = x[block + pixel, channel]
            T.buffer_store(squares, value * value, [pixel, workload.before + channel])
    with T.serial(tile.pixels) as pixel:
        for channel in _each_channel(workload, tile):
            near = range(workload.before + 1 + workload.after)
            total = _sum([squares[pixel, channel + offset] for offset in near])
            value = _normalised(workload, x[block + pixel, channel], total)
            T.buffer_store(y, value, [block + pixel, channel])


def _each_channel(workload: LrnWorkload, tile: LrnTile) -> Iterator[tirx.Expr]:
    """The loops over all channels of a pixel, by vectors; the body runs once, inside them."""
    vectors = len(tile_starts(workload.channels, tile.lanes))
    with T.serial(vectors) as vector, T.vectorized(tile.lanes) as lane:
        yield start_of(vector, tile.lanes, workload.channels) + lane


def _sum(values: list[tirx.Expr]) -> tirx.Expr:
    """From the first value on, without a zero that Python's sum would begin with."""
    return functools.reduce(operator.add, values)


def _normalised(workload: LrnWorkload, value: tirx.Expr, total: tirx.Expr) -> tirx.Expr:
    scaled = total * tirx.const(workload.alpha, FLOAT) + tirx.const(workload.bias, FLOAT)
    root = tirx.sqrt(scaled)
    return value / (root * tirx.sqrt(root))
