"""Tiles of a convolution over planes: those that fit a core's registers, the default among them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from compile.schedules.depthwise_rows import can_convolve_rows
from compile.schedules.maximum import has_maxnum
from compile.schedules.overlap import tile_starts
from compile.schedules.registers import (
    WINDOW_COSTS,
    accumulator_budget,
    has_avx512,
    tile_cycles,
)
from compile.schedules.short_rows import is_short
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core

ROWS_IN_REGISTERS = (1, 2, 3, 4, 7)
ACCUMULATORS_IN_REGISTERS = 28
MAX_ROWS = 4  # of a tile: more only lengthen the code
# On AArch64, accumulators and rows of a tile. Channelwise with 14, LLVM keeps inputs of three rows,
# too, and spills; 2 x 2 at 14x14 takes 5 % fewer modelled cycles than 3 x 2. Dense, 3 channels x 7
# vectors of one row take 2.41 M modelled cycles for the stem on A72, 2 x 2 x 4 spills (2.43 M).
ARM_CHANNELWISE = (8, 2)
ARM_DENSE = (21, 1)
# Of copying a vector of the input, as it lies and sorted by phase of the column; fitted to six
# depthwise kernels on AVX2 (2026-11-25).
COPIED_VECTOR_CYCLES, SORTED_VECTOR_CYCLES = 1.0, 3.0
# Of the time with a scratch, what whole rows in registers take on x86: 0.42 to 0.69 of 11 shapes
# with AVX-512, 0.54 to 0.71 of 9 with AVX2 (one thread of an EPYC, Zen 5, 2026-11-27).
SHARE_IN_REGISTERS = 0.6


@dataclass(frozen=True)
class WindowTile:
    """The decisions: `channels` x `rows` x `vectors` accumulators of `lanes` columns.

    The scratch holds what `band` rows of tiles read, at most. With `in_registers`, where the
    workload allows, there is none (see `depthwise_rows`).
    """

    channels: int
    rows: int
    vectors: int
    lanes: int
    maxnum: bool = False
    band: int = 1
    in_registers: bool = False
    shorter: bool = False


def default_tile(workload: WindowWorkload, core: Core) -> WindowTile:
    """Whole rows in registers where the template allows, else `_best_with_scratch`."""
    defaults = {"aarch64": _default_of_arm, "x86_64": _default_of_x86}
    unknown = workload.writes_channels and core.isa == "aarch64"  # never measured there
    if can_convolve_rows(workload) and core.isa in defaults and not unknown:
        return defaults[core.isa](workload, core)
    return _best_with_scratch(workload, core)


def _best_with_scratch(workload: WindowWorkload, core: Core) -> WindowTile:
    """The tile with the least modelled cycles among those whose accumulators fit the registers."""
    tile = min(
        fitting_tiles(workload, core), key=lambda tile: _modelled_cycles(workload, core, tile)
    )
    return replace(tile, band=_default_band(workload, tile, core))


def fitting_tiles(workload: WindowWorkload, core: Core) -> list[WindowTile]:
    """The tiles whose accumulators fit the registers, of one row of tiles a band."""
    rows, columns = workload.output_size
    lanes = _lanes(workload, core)
    budget, most_rows = accumulator_budget(core), MAX_ROWS
    if core.isa == "aarch64":
        limits = ARM_CHANNELWISE if workload.is_channelwise else ARM_DENSE
        budget, most_rows = limits
    return [
        WindowTile(channels, tile_rows, vectors, lanes, has_maxnum(core))
        for channels, tile_rows, vectors in itertools.product(range(1, budget + 1), repeat=3)
        if channels * tile_rows * vectors <= budget
        and channels <= workload.outputs
        and tile_rows <= min(rows, most_rows)
        and vectors * lanes <= columns
    ]


def tiles_in_registers(workload: WindowWorkload, core: Core) -> Iterator[WindowTile]:
    """Tiles of `depthwise_rows` that do not spill much; none where core or workload has others."""
    default = default_tile(workload, core)
    if not default.in_registers:
        return
    most = ACCUMULATORS_IN_REGISTERS if core.isa == "aarch64" else accumulator_budget(core)
    rows, columns = workload.output_size
    widest = -(-columns // default.lanes)
    choices = itertools.product(ROWS_IN_REGISTERS, range(1, min(widest, 8) + 1), (True, False))
    for tile_rows, vectors, shorter in choices:
        if tile_rows <= rows and tile_rows * vectors <= most:
            yield replace(default, rows=tile_rows, vectors=vectors, shorter=shorter)


def banded(workload: WindowWorkload, tile: WindowTile, core: Core) -> Iterator[WindowTile]:
    """`tile` with bands of the default height, of one row of tiles, and of the whole picture."""
    count = len(tile_starts(workload.output_size[0], tile.rows))
    for band in dict.fromkeys((_default_band(workload, tile, core), 1, count)):
        yield replace(tile, band=band)


def band_shape(workload: WindowWorkload, tile: WindowTile, band: int) -> tuple[int, int, int, int]:
    """Of the scratch for `band` rows of tiles."""
    channels, stride, padded_rows, columns = workload.phases_shape
    rows = (band * tile.rows - 1) * stride + workload.kernel[0]
    return channels, stride, min(rows, padded_rows), columns


def starts_of(workload: WindowWorkload, tile: WindowTile) -> tuple[list[int], list[int], list[int]]:
    """Where the tiles of a group begin: their channels, rows and columns."""
    rows, columns = workload.output_size
    return (
        tile_starts(workload.outputs, tile.channels),
        tile_starts(rows, tile.rows),
        tile_starts(columns, tile.vectors * tile.lanes),
    )


def modelled_cycles(workload: WindowWorkload, core: Core) -> float:
    """Of one call: a rank for choosing, not a prediction."""
    tile = _best_with_scratch(workload, core)
    share = SHARE_IN_REGISTERS if _gains_in_registers(workload, core) else 1.0
    return share * workload.groups * _modelled_cycles(workload, core, tile)


def _gains_in_registers(workload: WindowWorkload, core: Core) -> bool:
    """Whether whole rows in registers count: of pictures that L2 holds, with AVX-512.

    Counted whatever their size, they made 1x g8 at 480x640 3 to 10 % slower by another layout, and
    on AVX2 nearly every network has planes then, which was not measured.
    """
    values = workload.channels * math.prod(workload.size)
    near = values * core.value_bytes <= core.l2_kib * 1024
    return has_avx512(core) and can_convolve_rows(workload) and near


def _default_of_arm(workload: WindowWorkload, core: Core) -> WindowTile:
    """Two rows of up to four vectors; of rows of one or two vectors as many as eight."""
    rows, columns = workload.output_size
    lanes = core.lanes if is_short(rows, columns, core) else _lanes(workload, core)
    vectors = min(-(-columns // lanes), 4)
    most_rows = 2 if vectors > 2 else 8
    return WindowTile(
        1, min(rows, most_rows), vectors, lanes, has_maxnum(core), in_registers=True, shorter=True
    )


def _default_of_x86(workload: WindowWorkload, core: Core) -> WindowTile:
    """Four rows of up to four vectors with 32 registers, two of up to two with 16; seven of up to
    two, which two threads share evenly, where these make the picture.

    Of 8 depthwise shapes of planes these take 1.00 to 1.10 times the time of the best tile with
    AVX-512 and 1.00 to 1.07 with AVX2 (one thread of an EPYC, Zen 5, shared, 2026-11-27).
    """
    rows, columns = workload.output_size
    most, lanes = 4 if has_avx512(core) else 2, _lanes(workload, core)
    vectors = min(-(-columns // lanes), most)
    seven = has_avx512(core) and vectors <= 2 and rows % 7 == 0
    return WindowTile(
        channels=1,
        rows=7 if seven else min(rows, most),
        vectors=vectors,
        lanes=lanes,
        maxnum=has_maxnum(core),
        in_registers=True,
        shorter=True,
    )


def _lanes(workload: WindowWorkload, core: Core) -> int:
    """The longest vectors that fit a row."""
    return min(core.lanes, 1 << (workload.output_size[1].bit_length() - 1))


def _default_band(workload: WindowWorkload, tile: WindowTile, core: Core) -> int:
    """As many rows of tiles as read no more than three quarters of the L1 cache; one at least.

    The stem of 1x g3 on AVX-512 (2026-11-24), thousands of clock ticks: 324 with 1 row of tiles,
    346 with 2, 366 with 4, 390 with all.
    """
    count = len(tile_starts(workload.output_size[0], tile.rows))
    sizes = (math.prod(band_shape(workload, tile, band)) for band in range(1, count + 1))
    return max(sum(core.value_bytes * size <= core.l1d_kib * 768 for size in sizes), 1)


def _tile_count(workload: WindowWorkload, tile: WindowTile) -> int:
    return math.prod(len(starts) for starts in starts_of(workload, tile))


def _modelled_cycles(workload: WindowWorkload, core: Core, tile: WindowTile) -> float:
    """Of one group."""
    taps = workload.inputs * workload.kernel[0] * workload.kernel[1]
    vectors = tile.rows * tile.vectors
    costs = WINDOW_COSTS["planes"]
    cycles = tile_cycles(core, costs, tile.lanes, tile.channels, vectors, taps)
    return _tile_count(workload, tile) * cycles + _fill_cycles(workload, tile.lanes)


def _fill_cycles(workload: WindowWorkload, lanes: int) -> float:
    """Of one group's scratch, each row of which is copied once."""
    per_vector = SORTED_VECTOR_CYCLES if workload.stride > 1 else COPIED_VECTOR_CYCLES
    return workload.inputs * workload.size[0] * -(-workload.size[1] // lanes) * per_vector
