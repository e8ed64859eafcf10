"""Grouped 1x1 convolution as a batched GEMM, with everything behind it fused.

    Y[store(g*M + m), n] = relu(sum_k W[g, m, k] * X[load(g*K + k), n] + B[g*M + m] + R[g*M + m, n])

`store` and `load` are where a channel shuffle or a concat behind, or a shuffle before, puts a
channel, so that it costs nothing; R is the shortcut. Shuffles, R and relu are optional; with a
floor F the last is max(.., F[g*M + m]), and beside an R there need be no B. The nest:

    for g: for m_tile, n_tile (order by what stays in L1; or for n_tile: for g, m_tile):
      acc[rows, vectors] = B (+ R)                    # in registers
      for k (unrolled by k_unroll): acc += W * X
      Y[store(..), ..] = max(acc, 0)

One nest serves both layouts. In planes, pixels are in the lanes and rows are channels: a step loads
`vectors` of X and broadcasts `rows` of W. With channels in the lanes rows are pixels: a step loads
`vectors` of W and broadcasts `rows` of X, and a stored channel must be first + m, since a shuffled
store would scatter. Neither M nor N need be a multiple of its tile: the last tile begins earlier
and computes some values again, the same ones (no tail, no predicate), or has fewer vectors, so that
the kernel can run in place (`narrows`). A group of few channels may also be one tile, its weights
padded with zeros, of which the last vector is stored in part.

GFLOP/s of (groups, M, K, N), planes / channels; one thread of an AVX-512 Xeon whose measured peak
is 240, shared, 2026-11-23; R where there is a shortcut, not in place:

    (3, 20, 80, 784)    186 / 109     (3, 40, 160, 196)   169 / 168    (3, 80, 320, 49)    152 / 208
    (3, 80, 20, 784) R  143 / 139     (3, 160, 40, 196) R 139 / 181    (3, 320, 80, 49) R  140 / 190

In place the second is 157 / 176. In the network the prefetch takes 5 to 10 % off. Slower:
prefetching a tile's share at its start (no gain), a tail vector of 12 of 16 lanes where a tile can
begin earlier (154 against 179), one vector by many pixels (14 x 1: 178, 5 x 5: 213).

Walked in bands of rows with the depthwise convolution behind it, so that what lies between stays
in L1, the first unit of 1x g3 at 224 takes 45.6 us in bands of 2 to 14 rows, 45.5 without; one of
stage 2 35.1 and 34.7; one at 128x128 248 and 257 (AVX-512, Zen 5, 2026-11-27). There are no bands.

Seven products for eight, of halves of pixels, inputs and outputs (V. Strassen, Gaussian Elimination
is not Optimal, 1969, in Winograd's form), four sums of inputs made once for all outputs and those
of weights beforehand, as a C program beside these kernels: (1, 512, 512, 196) reaches 107 to 109 %
of the measured peak, (3, 320, 80, 49) 100 to 102 where this template reaches 98, (3, 160, 40, 196)
93 to 95 where it reaches 98 (AVX-512, Zen 5, 2026-11-27). Modelled on an A72 (3, 320, 80, 49) takes
0.93, (3, 80, 320, 49) 0.92, (3, 40, 160, 196) 0.97 and (3, 160, 40, 196) 1.03 times as long.
Weights take 7/4 of the memory, so that it was not built: of 1x g3 it gains 1 % at most here.

On AVX2 (one thread of an EPYC, Zen 3, shared, measured peak 101, 2026-11-25) with channels in the
lanes, in place: 93, 98, 99 for the first row, 88, 93, 89 for the second. Slower there, where
the pictures fit L2: all groups inside the loop over pixels.

Modelled multiply-adds a cycle, planes, of the six: 3.90, 3.62, 3.96, 3.81, 3.96, 3.77 of 4 on A72
and 7.61, 6.60, 7.79, 7.28, 7.88, 7.44 of 8 on N1 (2026-11-25); never measured on ARM. Without a
tail the last two took 3.75 and 3.64, 7.43 and 7.03. Unrolling a short K whole took 0.15 of 38.5 M
cycles off the network on A72, but spilled, and cost 3 of 20 M on N1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.layouts import matrix_shape
from compile.schedules.overlap import tile_starts
from compile.schedules.pointwise_inputs import each_input, prefetch_shortcut
from compile.schedules.pointwise_k_lanes import compute_in_k_lanes, packed_in_k_lanes
from compile.schedules.pointwise_order import each_place
from compile.schedules.pointwise_parts import (
    Part,
    Value,
    each_stored_value,
    each_value,
    parts_of,
)
from compile.schedules.pointwise_place import Operands, Place
from compile.schedules.pointwise_shared import SharedPart
from compile.schedules.pointwise_tiles import (
    PointwiseTile,
    tile_counts,
    tile_outputs,
)
from compile.schedules.pointwise_workload import PointwiseWorkload


def pack_weights(
    weights: np.ndarray, workload: PointwiseWorkload, tile: PointwiseTile
) -> np.ndarray:
    """OIHW (groups * M, K, 1, 1) to [group][m tile][k][m], in the order of use, padded with 0.

    Or as `packed_in_k_lanes`.
    """
    grouped = weights.reshape(workload.groups, workload.outputs, workload.inputs)
    if tile.k_lanes > 1:
        return packed_in_k_lanes(grouped, tile)
    size = tile_outputs(workload, tile)
    padding = -workload.outputs % size if tile.narrows else max(size - workload.outputs, 0)
    last = workload.outputs % tile.lanes
    again = np.tile(grouped[:, -last:], (1, tile.sharing - 1, 1))  # for the other pixels
    blank = np.zeros_like(grouped, shape=(workload.groups, padding, workload.inputs))
    grouped = np.concatenate([grouped, again if tile.sharing > 1 else blank], axis=1)
    starts = tile_starts(workload.outputs + padding, size)
    blocks = [grouped[:, start : start + size].transpose(0, 2, 1) for start in starts]
    return np.ascontiguousarray(np.stack(blocks, axis=1))


def pointwise(workload: PointwiseWorkload, tile: PointwiseTile, threads: int) -> tirx.PrimFunc:
    """The kernel: parameters X, W as packed, [B], [R], [F], Y; all of the workload's dtype.

    B and F hold a value for each of groups * M channels; X, R and Y are matrices in the workload's
    layout. Threads share the tiles of all groups.
    """
    m_tiles, n_tiles = tile_counts(workload, tile)
    steps, values = workload.inputs // tile.k_lanes, tile_outputs(workload, tile) * tile.k_lanes
    x_shape = matrix_shape(workload.layout, workload.groups * workload.inputs, workload.pixels)
    own = matrix_shape(workload.layout, workload.channels, workload.pixels)
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("pointwise")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg("X", T.Buffer(x_shape, workload.dtype))
        weights = T.arg("W", T.Buffer((workload.groups, m_tiles, steps, values), workload.dtype))
        bias = T.arg("B", T.Buffer((workload.channels,), workload.dtype)) if workload.bias else None
        apart = workload.shortcut and not workload.in_place
        shortcut = T.arg("R", T.Buffer(own, workload.dtype)) if apart else None
        floor = (
            T.arg("F", T.Buffer((workload.channels,), workload.dtype)) if workload.floor else None
        )
        y = T.arg("Y", T.Buffer(workload.output_shape, workload.dtype))
        operands = Operands(x, weights, bias, y if workload.in_place else shortcut, floor, y)
        for place in each_place(workload, tile, threads, bias):
            if tile.tail and n_tiles > 1:
                with T.If(place.n_tile < n_tiles - 1):
                    with T.Then():
                        _compute(workload, tile, place, operands, tail=False)
                    with T.Else():
                        _compute(workload, tile, place, operands, tail=True)
            elif tile.narrows:
                with T.If(place.m_tile < m_tiles - 1):
                    with T.Then():
                        _compute(workload, tile, place, operands, tail=False)
                    with T.Else():
                        _compute_narrowed(workload, tile, place, operands)
            else:
                _compute(workload, tile, place, operands, tail=tile.tail)
    return builder.get().without_attr("global_symbol")


def _compute(
    workload: PointwiseWorkload,
    tile: PointwiseTile,
    place: Place,
    operands: Operands,
    *,
    tail: bool,
    outputs: int | None = None,
) -> None:
    """One tile; with `tail` the pixels behind the last whole vector, too.

    From its first output on there are `outputs`, by default at least as many as it makes.
    """
    if tile.k_lanes > 1:
        compute_in_k_lanes(workload, tile, place, operands)
        return
    if tile.prefetch_shortcut:
        prefetch_shortcut(workload, tile, place, operands.shortcut)
    parts = parts_of(workload, tile, place, outputs=outputs or workload.outputs, tail=tail)
    shared = SharedPart.of(workload, tile, place, operands) if tile.sharing > 1 else None
    for part in parts:
        _start(workload, place, part, operands)
    if shared:
        shared.start()
    for k, channel in each_input(workload, tile, place, operands.weights):
        weight_of = _weights_of_step(tile, place, k, operands.weights)
        for part in parts:
            for each in each_value(part):
                product = operands.x[_at(workload, channel, each.pixel)] * weight_of(each.output)
                T.buffer_store(part.acc, part.acc[each.at] + product, each.at)
        if shared:
            shared.step(k, channel)
    for part in parts:
        _finish(workload, tile, place, part, operands)
    if shared:
        shared.finish()


def _compute_narrowed(
    workload: PointwiseWorkload, tile: PointwiseTile, place: Place, operands: Operands
) -> None:
    """The last tile of a group's outputs."""
    left = workload.outputs % tile.width
    narrowed = tile.narrowed(workload.outputs)
    _compute(workload, narrowed, place, operands, tail=False, outputs=left)


def _start(workload: PointwiseWorkload, place: Place, part: Part, operands: Operands) -> None:
    if part.padding:
        for each in each_value(part):
            T.buffer_store(part.acc, tirx.const(0, workload.dtype), each.at)
    for each in each_stored_value(workload, part):
        channel = place.group * workload.outputs + place.output + each.output
        if place.half == 1:
            value = operands.y[_stored_at(workload, place, channel, each.pixel)]
        else:
            bias = _bias(place, part, each, operands.bias_of(channel))
            value = operands.before(bias, _at(workload, channel, each.pixel))
        T.buffer_store(part.acc, value, each.at)


def _bias(place: Place, part: Part, each: Value, plain: tirx.Expr | None) -> tirx.Expr | None:
    """What the sum `each` of `part` begins with: where biases are spread, that of its lane."""
    if place.biases is None or part.outputs_in_lanes:
        return plain
    return place.biases[place.output + each.output, each.at[-1]]


def _weights_of_step(
    tile: PointwiseTile, place: Place, k: tirx.Expr, weights: tirx.Buffer
) -> Callable[[tirx.Expr], tirx.Expr]:
    """From an output of the tile to its weight, loaded one by one or as vectors before."""

    def packed(output: tirx.Expr) -> tirx.Expr:
        return weights[place.group, place.m_tile, k, output]

    if tile.row_lanes == 1:
        return packed
    loaded = T.alloc_buffer((tile.rows,), str(weights.dtype))
    with T.unroll(tile.rows // tile.row_lanes) as i, T.vectorized(tile.row_lanes) as j:
        row = i * tile.row_lanes + j
        T.buffer_store(loaded, packed(row), [row])
    return lambda row: loaded[row]


def _finish(
    workload: PointwiseWorkload,
    tile: PointwiseTile,
    place: Place,
    part: Part,
    operands: Operands,
) -> None:
    for each in each_stored_value(workload, part):
        channel = place.group * workload.outputs + place.output + each.output
        value = part.acc[each.at]
        if place.half != 0:
            value = operands.behind(workload, value, channel, maxnum=tile.maxnum)
        T.buffer_store(operands.y, value, _stored_at(workload, place, channel, each.pixel))


def _stored_at(
    workload: PointwiseWorkload, place: Place, channel: tirx.Expr, pixel: tirx.Expr
) -> list[tirx.Expr]:
    """Where in Y the output `channel` goes."""
    at = _at(workload, workload.stored_channel(channel), pixel)
    if place.pitch is None:
        return at
    return [0, at[0] * place.pitch + at[1]]  # the same place, counted from the first plane


def _at(workload: PointwiseWorkload, channel: tirx.Expr, pixel: tirx.Expr) -> list[tirx.Expr]:
    return [channel, pixel] if workload.layout == "planes" else [pixel, channel]
