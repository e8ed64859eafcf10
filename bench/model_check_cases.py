"""Kernels of ShuffleNet 1x g3, each with good and bad schedules: what the model has to rank."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

from compile.schedules.pointwise_tiles import PointwiseTile
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.window import WindowTile, WindowWorkload

SCHEDULES = 40  # of each kernel

Workload = PointwiseWorkload | WindowWorkload
Tile = PointwiseTile | WindowTile


@dataclass(frozen=True)
class Case:
    """A kernel with the tiles to compare."""

    name: str
    workload: Workload
    tiles: tuple[Tile, ...]


def check_cases(schedules: int = SCHEDULES) -> list[Case]:
    """A kernel of each template, with `schedules` tiles drawn from its decisions.

    The tiles are for 16 registers of 8 lanes: from one accumulator, which waits for itself, to
    24, which spill.
    """
    pointwise = PointwiseWorkload(3, 40, 160, 196, relu=True, shortcut=False, shuffle_rows=3)
    depthwise = WindowWorkload("conv", 60, 1, 1, (28, 28), (3, 3), 1, (1, 1))
    stem = WindowWorkload("conv", 1, 24, 3, (224, 224), (3, 3), 2, (1, 1), relu=True)
    return [
        Case("grouped pointwise", pointwise, drawn(_pointwise_tiles(), schedules)),
        Case("depthwise 3x3", depthwise, drawn(_depthwise_tiles(), schedules)),
        Case("stem", stem, drawn(_stem_tiles(), schedules)),
    ]


def drawn(tiles: Sequence[Tile], count: int) -> tuple[Tile, ...]:
    """`count` of `tiles`, the same ones every time; even distances would favour some decisions."""
    return tuple(random.Random(0).sample(tiles, count))


def _pointwise_tiles() -> list[PointwiseTile]:
    widths = ((1, 4), (1, 8), (2, 4), (2, 8), (3, 8))
    choices = itertools.product((1, 2, 3, 4, 5, 6, 8), widths, (1, 4), (True, False))
    return [
        PointwiseTile(rows, vectors, lanes, k_unroll, pixels_outer)
        for rows, (vectors, lanes), k_unroll, pixels_outer in choices
    ]


def _depthwise_tiles() -> list[WindowTile]:
    widths = ((1, 2), (1, 4), (2, 4), (3, 4), (7, 4), (1, 8), (2, 8), (3, 8))
    choices = itertools.product((1, 2, 3, 4, 7), widths, (1, 4, 28))
    return [WindowTile(1, rows, *width, band=band) for rows, width, band in choices]


def _stem_tiles() -> list[WindowTile]:
    widths = ((1, 4), (2, 4), (1, 8), (2, 8), (3, 8))
    choices = itertools.product((1, 2, 3, 4, 6, 8), (1, 2), widths, (1, 4))
    return [WindowTile(m, rows, *width, band=band) for m, rows, width, band in choices]
