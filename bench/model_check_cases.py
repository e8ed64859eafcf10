"""Kernels of ShuffleNet 1x g3, each with good and bad schedules: what the model has to rank."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tvm import tirx

from bench.model_check_search import random_schedules
from compile.schedules.dense_tiles import DenseTile
from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.pointwise_tiles import PointwiseTile
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.pool_tiles import PoolTile
from compile.schedules.templates import TEMPLATES, template_of
from compile.schedules.window_channels_tiles import WindowChannelsTile
from compile.schedules.window_tiles import WindowTile
from compile.schedules.window_workload import WindowWorkload

SCHEDULES = 40  # of each kernel
REGISTERS = 16  # of AVX2

Workload = PointwiseWorkload | WindowWorkload | DenseWorkload
Tile = PointwiseTile | WindowTile | WindowChannelsTile | PoolTile | DenseTile


@dataclass(frozen=True)
class Schedule:
    """What was decided, and the PrimFunc that comes of it."""

    decisions: dict[str, Any]
    make: Callable[[], tirx.PrimFunc]


@dataclass(frozen=True)
class Case:
    """A kernel with the schedules to compare."""

    name: str
    workload: dict[str, Any]
    schedules: tuple[Schedule, ...]


def check_cases(schedules: int = SCHEDULES) -> list[Case]:
    """A kernel of each template with `schedules` of its tiles, two with as many of MetaSchedule's.

    The tiles are for 16 registers of 8 lanes. They have from one accumulator, which waits for
    itself, to as many as there are registers, which spills what they are made from; the space is
    the product of a few values of each decision, the draw is `drawn`'s. A pool has few decisions,
    so that there may be fewer than `schedules`. MetaSchedule's are drawn from its own space for the
    first two of the convolutions, by the seeds 1, 2, 3 and so on.
    """
    pointwise = PointwiseWorkload(3, 40, 160, 196, relu=True, shortcut=False, shuffle_rows=3)
    depthwise = WindowWorkload("conv", 60, 1, 1, (28, 28), (3, 3), 1, (1, 1))
    stem = WindowWorkload("conv", 1, 24, 3, (224, 224), (3, 3), 2, (1, 1), relu=True)
    channels = dataclasses.replace(depthwise, layout="channels")
    max_pool = WindowWorkload("max", 24, 1, 1, (112, 112), (3, 3), 2, (1, 1))
    classifier = DenseWorkload(1000, 960, relu=False, pixels=49)
    return [
        template_case("grouped pointwise", pointwise, drawn(_pointwise_tiles(), schedules)),
        template_case("depthwise 3x3", depthwise, drawn(_depthwise_tiles(), schedules)),
        template_case("stem", stem, drawn(_stem_tiles(), schedules)),
        template_case("depthwise 3x3, channels", channels, drawn(_channels_tiles(), schedules)),
        template_case("max pool", max_pool, drawn(_pool_tiles(), schedules)),
        template_case("classifier", classifier, drawn(_dense_tiles(), schedules)),
        _search_case("grouped pointwise, MetaSchedule", (480, 14, 14), (120, 160, 1), schedules),
        _search_case("depthwise 3x3, MetaSchedule", (60, 28, 28), (60, 1, 3), schedules),
    ]


def template_case(name: str, workload: Workload, tiles: Sequence[Tile]) -> Case:
    """`workload` as its template makes it with each of `tiles`, for one thread."""
    make = TEMPLATES[template_of(workload)].make
    made = (
        Schedule(dataclasses.asdict(tile), functools.partial(make, workload, tile, 1))
        for tile in tiles
    )
    return Case(name, dataclasses.asdict(workload), tuple(made))


def _search_case(
    name: str, image: tuple[int, int, int], kernel: tuple[int, int, int], count: int
) -> Case:
    """A convolution of an image (IC, H, W) by a square kernel (OC, IC/groups, size), padded."""
    made = (
        Schedule({"seed": seed, "decisions": decisions}, lambda function=function: function)
        for seed, decisions, function in random_schedules(image, kernel, count)
    )
    return Case(name, {"image": image, "kernel": kernel}, tuple(made))


def drawn(tiles: Sequence[Tile], count: int) -> tuple[Tile, ...]:
    """`count` of `tiles`, or all, the same ones every time; even distances would favour some."""
    return tuple(random.Random(0).sample(tiles, min(count, len(tiles))))


def _pointwise_tiles() -> list[PointwiseTile]:
    widths = ((1, 4), (1, 8), (2, 4), (2, 8), (3, 8))
    choices = itertools.product((1, 2, 3, 4, 5, 6, 8), widths, (1, 4), (True, False))
    return [
        PointwiseTile(rows, vectors, lanes, k_unroll, pixels_outer)
        for rows, (vectors, lanes), k_unroll, pixels_outer in choices
        if rows * vectors <= REGISTERS
    ]


def _depthwise_tiles() -> list[WindowTile]:
    widths = ((1, 2), (1, 4), (2, 4), (3, 4), (7, 4), (1, 8), (2, 8), (3, 8))
    choices = itertools.product((1, 2, 3, 4, 7), widths, (1, 4, 28))
    return [
        WindowTile(1, rows, *width, band=band)
        for rows, width, band in choices
        if rows * width[0] <= REGISTERS
    ]


def _stem_tiles() -> list[WindowTile]:
    widths = ((1, 4), (2, 4), (1, 8), (2, 8), (3, 8))
    choices = itertools.product((1, 2, 3, 4, 6, 8), (1, 2), widths, (1, 4))
    return [
        WindowTile(m, rows, *width, band=band)
        for m, rows, width, band in choices
        if m * rows * width[0] <= REGISTERS
    ]


def _channels_tiles() -> list[WindowChannelsTile]:
    widths = ((1, 2), (1, 4), (3, 4), (5, 4), (1, 8), (2, 8), (3, 8), (7, 8))
    choices = itertools.product((1, 2, 3, 4, 5, 7, 8, 14), widths)
    return [
        WindowChannelsTile(pixels, *width)
        for pixels, width in choices
        if pixels * width[0] <= REGISTERS
    ]


def _pool_tiles() -> list[PoolTile]:
    choices = itertools.product((1, 2, 4, 8, 16), (False, True), (False, True))
    return [PoolTile(*choice) for choice in choices if choice[0] > 1 or not choice[2]]


def _dense_tiles() -> list[DenseTile]:
    choices = itertools.product((1, 2, 3, 4, 5, 6, 8), (1, 2, 3, 4, 5, 8), (4, 8))
    return [DenseTile(*choice) for choice in choices if choice[0] * choice[1] <= REGISTERS]
