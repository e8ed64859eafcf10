"""The loops over the tiles of a grouped 1x1 convolution: their order, and what threads share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.overlap import start_of
from compile.schedules.pointwise_place import Place
from compile.schedules.pointwise_tiles import (
    PointwiseTile,
    tile_counts,
    tile_outputs,
    tile_pixels,
    tiled_pixels,
)
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.spans import Index
from compile.schedules.threads import MOST_UNEVEN, Bounds, shares_of, unevenness
from compile.schedules.volatile import hidden, spread


def each_place(
    workload: PointwiseWorkload, tile: PointwiseTile, threads: int, bias: tirx.Buffer | None
) -> Iterator[Place]:
    """The loops over all tiles; the body runs once, inside them, or once for each half.

    A loop for each of group, outputs and pixels: LLVM follows their indices better than those of
    one loop. Each thread walks its share of one of them (`_shared_axis`), which changes from walk
    to walk so that no thread does more; which tiles there are does not depend on the threads.
    """
    m_tiles, n_tiles = tile_counts(workload, tile)
    counts = {"group": workload.groups, "output": m_tiles, "pixel": n_tiles}
    order = _order(tile)
    shared = _shared_axis(counts, order, threads)
    with shares_of(counts[shared], threads) as share_in:

        def bounds(axis: str, walk: Index) -> Bounds:
            return share_in(walk) if axis == shared else (0, counts[axis])

        with T.serial(*bounds(order[0], 0)) as i:
            first_bias = i * workload.outputs
            biases = (
                spread(bias, first_bias, workload.outputs, tile.lanes) if tile.spread_bias else None
            )
            pitch = hidden(workload.pixels) if tile.paired else None
            with T.serial(*bounds(order[1], i)) as j:
                for half in (0, 1) if tile.halves else (None,):
                    with T.serial(*bounds(order[2], i * counts[order[1]] + j)) as k:
                        at = dict(zip(order, (i, j, k), strict=True))
                        place = _place(workload, tile, at["group"], at["output"], at["pixel"])
                        yield replace(place, biases=biases, pitch=pitch, half=half)


def _order(tile: PointwiseTile) -> tuple[str, str, str]:
    """The loops over tiles, the outermost first."""
    if tile.groups_inner:
        return "pixel", "group", "output"
    return ("group", "pixel", "output") if tile.pixels_outer else ("group", "output", "pixel")


def _shared_axis(counts: dict[str, int], order: Sequence[str], threads: int) -> str:
    """Which of the loops of `counts` tiles the threads share.

    Pixels, unless another loop is shared much more evenly: all kernels then give a thread nearly
    the same part of the picture, which stays in its cache.
    """
    walks = (1, counts[order[0]], counts[order[0]] * counts[order[1]])
    longest = {
        axis: unevenness(counts[axis], threads, times)
        for axis, times in zip(order, walks, strict=True)
    }
    best = min(order, key=longest.__getitem__)
    return "pixel" if longest["pixel"] <= MOST_UNEVEN * longest[best] else best


def _place(
    workload: PointwiseWorkload,
    tile: PointwiseTile,
    group: tirx.Expr,
    m_tile: tirx.Expr,
    n_tile: tirx.Expr,
) -> Place:
    outputs = tile_outputs(workload, tile)
    from_the_end = max(outputs, workload.outputs)
    return Place(
        group=group,
        m_tile=m_tile,
        output=m_tile * outputs if tile.narrows else start_of(m_tile, outputs, from_the_end),
        n_tile=n_tile,
        pixel=start_of(n_tile, tile_pixels(workload, tile), tiled_pixels(workload, tile)),
    )
