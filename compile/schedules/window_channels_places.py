"""The tiles of a row of a window with channels in the lanes, those at its borders apart.

Tiles between the borders share one loop, whose code meets no border; of the others each is written
for itself, without the taps that lie outside the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.window_channels_tiles import WindowChannelsTile, channel_tiles
from compile.schedules.window_workload import WindowWorkload


@dataclass(frozen=True)
class Place:
    """Where a tile lies; `border` is its first column where it meets a border, else None."""

    group: tirx.Expr
    m_tile: tirx.Expr
    channel: tirx.Expr
    row: tirx.Expr
    column: tirx.Expr
    border: int | None


def each_place(
    workload: WindowWorkload, tile: WindowChannelsTile, block: tirx.Expr, row: tirx.Expr
) -> Iterator[Place]:
    """The tiles of one row of one block of channels, inside the loops over them."""
    m_tiles = channel_tiles(workload, tile)
    for first, count, border in _column_runs(workload, tile.pixels):
        with T.serial(count) as step:
            column = first + step * tile.pixels
            if workload.is_channelwise:
                with nullcontext(block) if tile.channels_outer else T.serial(m_tiles) as m_tile:
                    channel = start_of(m_tile, tile.width, workload.channels)
                    yield Place(0, m_tile, channel, row, column, border)
            else:
                group, m_tile = block // m_tiles, block % m_tiles
                output = start_of(m_tile, tile.width, workload.outputs)
                channel = group * workload.outputs + output
                yield Place(group, m_tile, channel, row, column, border)


def pixels_inside(
    workload: WindowWorkload, tile: WindowChannelsTile, place: Place, j: int
) -> list[int]:
    """The pixels of the tile whose taps in column `j` lie in the picture."""
    return [
        pixel
        for pixel in range(tile.pixels)
        if place.border is None or _is_inside(workload, place.border + pixel, j)
    ]


def columns_inside(
    workload: WindowWorkload, tile: WindowChannelsTile, place: Place
) -> dict[int, list[int]]:
    """The columns of taps that lie in the picture, from the tile's first one on, left to right.

    Of each the pixels that have a tap in it.
    """
    columns: dict[int, list[int]] = {}
    for j in range(workload.kernel[1]):
        for pixel in pixels_inside(workload, tile, place, j):
            columns.setdefault(pixel * workload.stride + j, []).append(pixel)
    return dict(sorted(columns.items()))


def _column_runs(workload: WindowWorkload, pixels: int) -> list[tuple[int, int, int | None]]:
    """First column, number of tiles and border of each run of tiles that share their code."""
    runs: list[tuple[int, int, int | None]] = []
    for start in tile_starts(workload.output_size[1], pixels):
        inside = all(
            _is_inside(workload, start + p, j)
            for p in (0, pixels - 1)
            for j in (0, workload.kernel[1] - 1)
        )
        if inside and runs and runs[-1][2] is None and start == runs[-1][0] + runs[-1][1] * pixels:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1, None)
        else:
            runs.append((start, 1, None if inside else start))
    return runs


def _is_inside(workload: WindowWorkload, column: int, j: int) -> bool:
    """Whether tap `j` of an output column lies in the picture."""
    return 0 <= column * workload.stride + j - workload.padding[1] < workload.size[1]
