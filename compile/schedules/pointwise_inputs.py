"""The loops over the inputs of a grouped 1x1 convolution, and the prefetch of what comes next."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.pointwise_place import Place
from compile.schedules.pointwise_tiles import (
    PointwiseTile,
    tile_counts,
    tile_outputs,
    tile_pixels,
)
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.prefetch import (
    PREFETCH_TO_READ_FROM_L1,
    PREFETCH_TO_READ_FROM_L2,
    prefetch,
)
from compile.schedules.registers import FLOAT_BYTES, LINE_BYTES

MOST_ROWS_UNROLLED = 8  # of a shuffle before


def each_input(
    workload: PointwiseWorkload, tile: PointwiseTile, place: Place, weights: tirx.Buffer
) -> Iterator[tuple[tirx.Expr, tirx.Expr]]:
    """The loops over k, with the channel of X that it is; the body runs once or twice.

    Behind a shuffle of few rows k runs in steps of that many: then every division is of what does
    not change in the loop, and channel grows by 1 a step (8 % of a kernel otherwise).
    """
    first, rows = place.group * workload.inputs, workload.load_rows
    regular = 1 < rows <= MOST_ROWS_UNROLLED
    step = rows if regular else tile.k_unroll
    whole, rest = divmod(workload.inputs // tile.k_lanes, step)
    if place.half is not None:
        whole, rest = whole // 2, 0
    if tile.peel or tile.peel_first:
        before = whole if place.half == 1 else 0
        for outer in _peeled(whole, last=tile.peel):
            with T.unroll(step) as inner:
                k = (before + outer) * step + inner
                yield k, workload.loaded_channel(first + k * tile.k_lanes)
    elif whole:
        with T.serial(whole) as outer:
            if tile.prefetch:
                _prefetch_weights(workload, tile, place, weights, outer, whole)
            with T.unroll(step) as inner:
                k = outer * step + inner
                channel = workload.loaded_channel(first + (inner if regular else k * tile.k_lanes))
                yield k, channel + outer if regular else channel
    if rest:
        with T.unroll(rest) as inner:
            yield whole * step + inner, workload.loaded_channel(first + inner) + whole


def _peeled(steps: int, *, last: bool) -> Iterator[int | tirx.Expr]:
    """The first step, a loop over the others, and maybe the last: the body runs for each part."""
    yield 0
    with T.serial(steps - 1 - last) as between:
        yield between + 1
    if last:
        yield steps - 1


def _prefetch_weights(
    workload: PointwiseWorkload,
    tile: PointwiseTile,
    place: Place,
    weights: tirx.Buffer,
    step: tirx.Expr,
    steps: int,
) -> None:
    """A line of the weights of the next tile of outputs in each step; all pixels take a share.

    Spread over the steps: all at the start of a tile was no faster than none.
    """
    _, m_tiles, *of_tile = (int(extent) for extent in weights.shape)  # a last tile may be narrower
    _, n_tiles = tile_counts(workload, tile)
    block = math.prod(of_tile)
    share = -(-block * FLOAT_BYTES // (LINE_BYTES * n_tiles))
    per_step = -(-share // steps)
    floats = LINE_BYTES // FLOAT_BYTES
    following = (place.group * m_tiles + place.m_tile + 1) * block
    with T.unroll(per_step) as each:
        line = place.n_tile * share + tirx.min(step * per_step + each, share - 1)
        address = T.address_of(weights[0, 0, 0, following + line * floats])
        prefetch(address, PREFETCH_TO_READ_FROM_L2)


def prefetch_shortcut(
    workload: PointwiseWorkload, tile: PointwiseTile, place: Place, shortcut: tirx.Buffer
) -> None:
    """The lines of the shortcut that the same outputs of the next pixels add; channels in lanes.

    Caches alone do not foresee rows that lie as far apart as a picture has channels. In the
    network, in place, the least of 120 runs (one thread of an EPYC, Zen 3, AVX2, 2026-11-26):
    (3, 320, 80, 196) takes 316 us instead of 329, (3, 80, 20, 784) 84 instead of 87, (8, 48, 12,
    784) 116 instead of 120. Two or four tiles ahead was no faster; nor were the inputs of the next
    pixels. Behind the last pixels nothing is read.
    """
    pixels, outputs = tile_pixels(workload, tile), tile_outputs(workload, tile)
    channel = place.group * workload.outputs + place.output
    for pixel in range(pixels, 2 * pixels):
        for first in range(0, min(outputs, workload.outputs), LINE_BYTES // FLOAT_BYTES):
            address = T.address_of(shortcut[place.pixel + pixel, channel + first])
            prefetch(address, PREFETCH_TO_READ_FROM_L1)
