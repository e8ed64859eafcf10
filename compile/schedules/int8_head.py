"""A dense layer of int8 with float32 results, behind the global pool, whose mean is int8, too.

    mean[k] = int8 of sum_n X[k, n] + C[k]                        # see `int8_lanes`
    Y[m] = float32(sum_k W[m, k] * mean[k] + B[m]) * S[m]         # exact up to the last product

Outputs are in the lanes, and inputs broadcast, so that each weight is read once, in order.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.int8_lanes import (
    DEPTHS,
    OCTET,
    STORED,
    Dots,
    Ending,
    add_dot,
    dots_of,
    requantised,
    store_octets,
    sum_lanes,
)
from compile.schedules.int8_steps import each_step, unrolls_of
from compile.schedules.int8_workloads import Int8DenseWorkload
from compile.schedules.spans import pieces, span
from compile.schedules.threads import share_of
from deploy_rpc.cores import Core

MOST_VECTORS = {"sdot": 10, "pairs": 5, "single": 10}


@dataclass(frozen=True)
class Int8DenseTile:
    """The decisions: `vectors` of `lanes` outputs, and `k_unroll` steps of inputs an iteration."""

    dots: Dots
    vectors: int
    lanes: int
    k_unroll: int = 1

    @property
    def width(self) -> int:
        """Outputs of a tile."""
        return self.vectors * self.lanes

    @property
    def depth(self) -> int:
        """Inputs of a step."""
        return DEPTHS[self.dots]


def default_tile(workload: Int8DenseWorkload, core: Core) -> Int8DenseTile:
    """As many outputs as registers hold, and fewest that are padding."""
    dots, lanes = dots_of(core), sum_lanes(core)

    def padding(vectors: int) -> tuple[int, int]:
        return -(-workload.outputs // (vectors * lanes)) * vectors * lanes, -vectors

    return Int8DenseTile(dots, min(range(1, MOST_VECTORS[dots] + 1), key=padding), lanes)


def fitting_tiles(workload: Int8DenseWorkload, core: Core) -> Iterator[Int8DenseTile]:
    """The tiles whose sums fit the registers, of as many padded outputs as the default one has:
    biases and scales are there for those.
    """
    default = default_tile(workload, core)
    unrolls = unrolls_of(-(-workload.inputs // default.depth))
    for vectors, unroll in itertools.product(range(1, MOST_VECTORS[default.dots] + 1), unrolls):
        tile = replace(default, vectors=vectors, k_unroll=unroll)
        if padded_outputs(workload, tile) == padded_outputs(workload, default):
            yield tile


def padded_outputs(workload: Int8DenseWorkload, tile: Int8DenseTile) -> int:
    """Those of whole tiles: as many biases and scales there are."""
    return -(-workload.outputs // tile.width) * tile.width


def padded_inputs(workload: Int8DenseWorkload) -> int:
    """Those of whole octets, of which the last repeat an input; their weights are 0."""
    return -(-workload.inputs // OCTET) * OCTET


def pack_weights(
    weights: np.ndarray, workload: Int8DenseWorkload, tile: Int8DenseTile
) -> np.ndarray:
    """(M, K) to (m tile, step, output * depth), both padded with 0."""
    steps = -(-workload.inputs // tile.depth)
    padded = np.zeros((padded_outputs(workload, tile), steps * tile.depth), weights.dtype)
    padded[: workload.outputs, : workload.inputs] = weights
    blocks = padded.reshape(-1, tile.width, steps, tile.depth).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(blocks.reshape(-1, steps, tile.width * tile.depth))


def int8_dense(workload: Int8DenseWorkload, tile: Int8DenseTile, threads: int) -> tirx.PrimFunc:
    """The kernel: X int8 as `given_shape`, W as packed, B int32 and S float32 of `padded_outputs`,
    with a pool C and M int32 of `padded_inputs`, Y float32 (outputs,).

    Threads share the channels of the pool, then the tiles.
    """
    steps = -(-workload.inputs // tile.depth)
    m_tiles = padded_outputs(workload, tile) // tile.width
    padded = (padded_outputs(workload, tile),)
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("int8_dense")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg("X", T.Buffer(workload.given_shape, "int8"))
        w_shape = (m_tiles, steps, tile.width * tile.depth)
        weights = T.arg("W", T.Buffer(w_shape, "int8"))
        bias = T.arg("B", T.Buffer(padded, "int32"))
        scales = T.arg("S", T.Buffer(padded, "float32"))
        pool = None
        if workload.pixels > 1:
            of_inputs = (padded_inputs(workload),)
            pool = (
                T.arg("C", T.Buffer(of_inputs, "int32")),
                T.arg("M", T.Buffer(of_inputs, "int32")),
            )
        y = T.arg("Y", T.Buffer((workload.outputs,), "float32"))
        means = T.alloc_buffer((padded_inputs(workload),), "int8")
        _take_means(workload, tile, threads, x, pool, means)
        with share_of(m_tiles, threads) as share, T.serial(*share) as m_tile:
            acc = _accumulate(tile, steps, m_tile, means, weights, bias)
            _finish(workload, tile, m_tile, acc, scales, y)
    return builder.get().without_attr("global_symbol")


def _take_means(
    workload: Int8DenseWorkload,
    tile: Int8DenseTile,
    threads: int,
    x: tirx.Buffer,
    pool: tuple[tirx.Buffer, tirx.Buffer] | None,
    means: tirx.Buffer,
) -> None:
    """All inputs of the dense layer, padded."""
    octets = int(means.shape[0]) // OCTET
    with share_of(octets, threads) as share, T.serial(*share) as octet:
        if pool is None:
            with T.serial(OCTET) as lane:
                channel = tirx.min(octet * OCTET + lane, workload.inputs - 1)
                T.buffer_store(means, x[channel], [octet * OCTET + lane])
            return
        offsets, multipliers = pool
        totals = T.alloc_buffer((OCTET,), "int32", scope="local")
        with T.serial(OCTET) as lane:
            channel = tirx.min(octet * OCTET + lane, workload.inputs - 1)
            total = T.alloc_buffer((1,), "int32", scope="local")
            T.buffer_store(total, offsets[octet * OCTET + lane], [0])
            with T.serial(workload.pixels) as pixel:
                T.buffer_store(total, total[0] + tirx.Cast("int32", x[channel, pixel]), [0])
            T.buffer_store(totals, total[0], [lane])
        firsts = range(0, OCTET, tile.lanes)
        sums = [totals[T.Ramp(first, 1, tile.lanes)] for first in firsts]
        factors = [multipliers[T.Ramp(octet * OCTET + first, 1, tile.lanes)] for first in firsts]
        value = requantised(tile.dots, sums, factors, Ending(workload.shift))
        store_octets([value], OCTET, means, [octet * OCTET])


def _accumulate(
    tile: Int8DenseTile,
    steps: int,
    m_tile: tirx.Expr,
    means: tirx.Buffer,
    weights: tirx.Buffer,
    bias: tirx.Buffer,
) -> tirx.Buffer:
    acc = T.alloc_buffer((tile.width,), "int32", scope="local")
    lanes, wide = tile.lanes, tile.lanes * tile.depth
    for vector in range(tile.vectors):
        at = T.Ramp(vector * lanes, 1, lanes)
        T.buffer_store(acc, bias[T.Ramp(m_tile * tile.width + vector * lanes, 1, lanes)], [at])
    stored = STORED[tile.dots]
    for step in each_step(steps, tile.k_unroll):
        inputs = T.bind(_broadcast_inputs(tile, means, step))
        for vector in range(tile.vectors):
            at = T.Ramp(vector * lanes, 1, lanes)
            loaded = weights[m_tile, step, T.Ramp(vector * wide, 1, wide)]
            values = tirx.Cast(f"{stored}x{wide}", loaded)
            T.buffer_store(acc, add_dot(tile.dots, lanes, acc[at], values, inputs), [at])
    return acc


def _broadcast_inputs(tile: Int8DenseTile, means: tirx.Buffer, step: tirx.Expr) -> tirx.Expr:
    """The inputs of a step in all lanes."""
    stored, depth = STORED[tile.dots], tile.depth
    wide = f"{stored}x{tile.lanes * depth}"
    if depth == 1:
        return T.Broadcast(tirx.Cast(stored, means[step]), tile.lanes)
    few = tirx.Cast(f"{stored}x{depth}", means[T.Ramp(step * depth, 1, depth)])
    return tirx.reinterpret(wide, T.Broadcast(tirx.reinterpret("int32", few), tile.lanes))


def _finish(
    workload: Int8DenseWorkload,
    tile: Int8DenseTile,
    m_tile: tirx.Expr,
    acc: tirx.Buffer,
    scales: tirx.Buffer,
    y: tirx.Buffer,
) -> None:
    first = m_tile * tile.width

    def store(count: int) -> None:
        for start, width in pieces(count):
            lane, there = span(start, width), span(first + start, width)
            of = f"float32x{width}" if width > 1 else "float32"
            value = tirx.Cast(of, acc[lane]) * scales[there]
            if workload.relu:
                zero = tirx.const(0, "float32")
                value = tirx.max(value, T.Broadcast(zero, width) if width > 1 else zero)
            T.buffer_store(y, value, [there])

    rest = workload.outputs % tile.width
    if not rest:
        store(tile.width)
        return
    with T.If(first + tile.width <= workload.outputs):
        with T.Then():
            store(tile.width)
        with T.Else():
            store(rest)
