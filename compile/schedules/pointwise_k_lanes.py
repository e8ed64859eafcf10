"""Tiles with several inputs of each sum in the lanes, side by side as they lie in memory.

With outputs alone in the lanes each input is broadcast by a load of its own, for as many
multiply-adds as a group has vectors of outputs: 1.25 where it has 20, and no core has a load for
each. Here a vector holds `k_lanes` = 4 inputs of 4 outputs, and one load brings 4 inputs of a pixel
for all of them:

    acc(p, v) += [x(p, k..k+3), x(p, k..k+3), ..] * [4 weights of a block, of the next, ..]

4 pixels by 5 such vectors are 20 multiply-adds for 9 loads, without a shuffle between them. Behind
the last step the 4 parts of each sum are added, for 4 vectors at once. Where these are of one pixel
the weights are packed for it, so that 3 shuffles and 3 additions make a vector of 16 outputs; the
vectors left of all pixels, of which a block is one output, are added together by 7 shuffles, and
stored in parts.

One thread of an EPYC (Zen 5, AVX-512, shared, 2026-11-27), kernels alone and with two shuffles for
each addition still, which took 2 % more of the first, microseconds against the usual tile: (3, 20,
80, 784) 29.9 and 31.6, (3, 40, 160, 196) 27.5 and 28.7, (3, 80, 320, 49) 27.4 and 28.1, (8, 12, 48,
784) 32.7 and 40.8, (8, 24, 96, 196) 26.7 and 31.0. With 2 inputs in the lanes 8 outputs are, which
wins where both fit; (8, 24, 96, 196) takes 28.2 with 4. 8 inputs lost for every shape, as did
either where there are few, 24 or 40, and much is added for few products. In the network, least
times: 2.0 % off 1x g3, 1.8 off 0.5x and 1x g1, 3.4 off g8, 1.5 off 1.5x, nothing off g2 and 0.25x.
Where the last vector of few outputs begins earlier (3, 10, 40, 196) takes 2.6 instead of 3.2, which
is 3 % of 0.25x.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.overlap import tile_starts
from compile.schedules.pointwise_inputs import each_input
from compile.schedules.pointwise_place import Operands, Place
from compile.schedules.pointwise_tiles import PointwiseTile, whole_vectors
from compile.schedules.pointwise_workload import PointwiseWorkload

FLOAT = "float32"


@dataclass(frozen=True)
class Accumulator:
    """One vector of sums: which vector of its tile it is, of which pixel."""

    sums: tirx.Buffer
    vector: int
    pixel: tirx.Expr


def packed_in_k_lanes(grouped: np.ndarray, tile: PointwiseTile) -> np.ndarray:
    """(groups, M, K) to [group][m tile][k / k_lanes][vector, lane]."""
    groups, outputs, inputs = grouped.shape
    order = np.array([_outputs_of(tile, outputs, v) for v in range(tile.vectors)]).reshape(-1)
    part = np.arange(order.size) % tile.k_lanes
    steps = grouped.reshape(groups, outputs, inputs // tile.k_lanes, tile.k_lanes)
    blocks = [
        steps[:, start + order, :, part].transpose(1, 2, 0)
        for start in tile_starts(outputs, min(tile.width, outputs))
    ]
    return np.ascontiguousarray(np.stack(blocks, axis=1))


def compute_in_k_lanes(
    workload: PointwiseWorkload, tile: PointwiseTile, place: Place, operands: Operands
) -> None:
    """The tile at `place`."""
    nothing = tirx.Broadcast(tirx.const(0, FLOAT), tile.lanes)
    accumulators = [
        Accumulator(_vector(tile, nothing), vector, place.pixel + row)
        for row, vector in itertools.product(range(tile.rows), range(tile.vectors))
    ]
    for k, channel in each_input(workload, tile, place, operands.weights):
        for each in accumulators:
            inputs = operands.x[each.pixel, T.Ramp(channel, 1, tile.k_lanes)]
            at = T.Ramp(each.vector * tile.lanes, 1, tile.lanes)
            weights = operands.weights[place.group, place.m_tile, k, at]
            product = _side_by_side([inputs] * (tile.lanes // tile.k_lanes)) * weights
            _store(each.sums, _load(each.sums) + product)
    for together in _added_together(accumulators, tile, workload.outputs):
        _finish(workload, tile, place, operands, together)


def _outputs_of(tile: PointwiseTile, outputs: int, vector: int) -> list[int]:
    """Which output of a tile each lane of a vector holds a part of.

    Of `k_lanes` vectors of a pixel vector v holds in lane k of a block that of output v ^ k, see
    `_sums_of_pixel`; those that are left hold all parts of an output side by side.
    """
    lanes = [divmod(lane, tile.k_lanes) for lane in range(tile.lanes)]
    if vector >= _whole(tile, outputs):
        return [_first_of(tile, outputs, vector) + block for block, _ in lanes]
    first, number = divmod(vector, tile.k_lanes)
    return [first * tile.lanes + block * tile.k_lanes + (number ^ k) for block, k in lanes]


def _first_of(tile: PointwiseTile, outputs: int, vector: int) -> int:
    """The first output of a vector that is left; the last of a group may begin earlier."""
    count = tile.lanes // tile.k_lanes
    return min(vector * count, outputs - count)


def _whole(tile: PointwiseTile, outputs: int) -> int:
    """How many vectors of a pixel are added with others of the same pixel."""
    return whole_vectors(outputs, tile.vectors, tile.lanes, tile.k_lanes)


def _added_together(
    accumulators: Sequence[Accumulator], tile: PointwiseTile, outputs: int
) -> Iterator[Sequence[Accumulator]]:
    """Those whose parts are added at once: of one pixel, or what is left of all."""
    whole = [each for each in accumulators if each.vector < _whole(tile, outputs)]
    rest = [each for each in accumulators if each.vector >= _whole(tile, outputs)]
    for kind in (whole, rest):
        yield from (kind[i : i + tile.k_lanes] for i in range(0, len(kind), tile.k_lanes))


def _finish(
    workload: PointwiseWorkload,
    tile: PointwiseTile,
    place: Place,
    operands: Operands,
    together: Sequence[Accumulator],
) -> None:
    """The sums of `together`: bias, ReLU, and the stores."""
    group = place.group * workload.outputs + place.output
    vectors, first = [each.sums for each in together], together[0].vector
    if first < _whole(tile, workload.outputs):
        sums = _sums_of_pixel(vectors, tile)
        runs = [(together[0].pixel, group + first * tile.lanes // tile.k_lanes, tile.lanes)]
    else:
        sums = _sums_of_pixels(vectors, tile)
        count = tile.lanes // tile.k_lanes
        firsts = [_first_of(tile, workload.outputs, each.vector) for each in together]
        runs = [(e.pixel, group + f, count) for e, f in zip(together, firsts, strict=True)]
    missing = tile.lanes // runs[0][2] - len(runs)  # of the last vectors of a tile
    biases = [operands.bias[T.Ramp(channel, 1, count)] for _, channel, count in runs]
    biased = _load(sums) + _side_by_side(biases + biases[:1] * missing)
    value = operands.behind(workload, biased, runs[0][1], maxnum=tile.maxnum)
    _store(sums, value)
    for number, (pixel, channel, count) in enumerate(runs):
        lanes = list(range(number * count, (number + 1) * count))
        stored = T.Ramp(workload.first_channel + channel, 1, count)
        T.buffer_store(operands.y, tirx.Shuffle([_load(sums)], lanes), [pixel, stored])


def _sums_of_pixel(vectors: Sequence[tirx.Buffer], tile: PointwiseTile) -> tirx.Buffer:
    """The parts of `k_lanes` vectors added: all outputs side by side.

    A part of output o lies in lane k of vector o ^ k. What is added to a vector goes to other lanes
    before, k to k ^ 1 and then to k ^ 2: a shuffle for each addition.
    """
    left, distance = list(vectors), 1
    while len(left) > 1:
        order = [lane ^ distance for lane in range(tile.lanes)]
        left = [
            _vector(tile, _load(a) + tirx.Shuffle([_load(b)], order))
            for a, b in zip(left[::2], left[1::2], strict=True)
        ]
        distance *= 2
    return left[0]


def _sums_of_pixels(vectors: Sequence[tirx.Buffer], tile: PointwiseTile) -> tirx.Buffer:
    """The parts of vectors of several pixels added: all outputs of the first one, then the next.

    Each round adds the halves of two vectors and leaves one. Where vectors are fewer than
    `k_lanes`, the last one stands for the missing ones.
    """
    left = [*vectors, *[vectors[-1]] * (tile.k_lanes - len(vectors))]
    while len(left) > 1:
        side_by_side = tile.k_lanes // len(left)
        first = [
            block + part * side_by_side + other + i
            for block in range(0, tile.lanes, tile.k_lanes)
            for part in range(len(left) // 2)
            for other in (0, tile.lanes)
            for i in range(side_by_side)
        ]
        second = [lane + tile.k_lanes // 2 for lane in first]
        pairs = [[_load(a), _load(b)] for a, b in zip(left[::2], left[1::2], strict=True)]
        left = [
            _vector(tile, tirx.Shuffle(pair, first) + tirx.Shuffle(pair, second)) for pair in pairs
        ]
    lanes = range(tile.lanes)
    order = [lane for pixel in range(tile.k_lanes) for lane in lanes[pixel :: tile.k_lanes]]
    return _vector(tile, tirx.Shuffle([_load(left[0])], order))


def _side_by_side(vectors: Sequence[tirx.Expr]) -> tirx.Expr:
    """`vectors` as one."""
    lanes = sum(each.ty.dtype.lanes for each in vectors)
    return tirx.Shuffle(list(vectors), list(range(lanes)))


def _vector(tile: PointwiseTile, value: tirx.Expr) -> tirx.Buffer:
    """A vector that holds `value`."""
    buffer = T.alloc_buffer((tile.lanes,), FLOAT)
    _store(buffer, value)
    return buffer


def _load(buffer: tirx.Buffer) -> tirx.Expr:
    return buffer[T.Ramp(0, 1, int(buffer.shape[0]))]


def _store(buffer: tirx.Buffer, value: tirx.Expr) -> None:
    T.buffer_store(buffer, value, [T.Ramp(0, 1, int(buffer.shape[0]))])
