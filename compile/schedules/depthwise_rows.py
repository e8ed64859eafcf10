"""A depthwise 3x3 convolution over planes, whole rows in registers, with no scratch for the border.

    for c: for y_tile:
      acc[row, vectors] = sum_ij W[c, i, j] * X[c, s*(y + row) + i - 1, s*x + j - 1] (+ B[c])
      Y[c, y + row, x..] = relu(acc)

Where a row begins or ends the column outside is a zero that a vector is shifted over; rows outside
are left out, in tiles of their own for the top and the bottom. At stride 2 even and odd columns are
parted as they are read. A row that is no multiple of the vector ends in a shorter one, or in one
that begins earlier and computes values again.

Depthwise kernels of 1x g3 without a bias, thousands of modelled cycles on A72 / N1 (2026-11-25),
in brackets by `window`, which copies the input with its border first:

    60x28x28 116 / 72 (143 / 91)    120x14x14 61 / 40 (88 / 53)    240x7x7 29 / 16 (36 / 34)
    and at stride 2, by size of the input
    60x56x56 171 / 117 (223 / 150)  120x28x28 86 / 66 (138 / 94)   240x14x14 44 / 29 (76 / 54)

Microseconds on one thread of an EPYC (Zen 5, shared, 2026-11-27), in brackets by `window`, with
AVX-512 / of AVX2 code:

    30x28x28 2.0 (3.1) / 3.8 (5.4)      stride 2: 30x56x56 3.6 (6.7) / 5.6 (9.9)
    128x56x56 37.6 (58) / 57 (97)       128x56x56 20.1 (31) / 26.5 (43.6)

In the network, with AVX-512, about 1 % of 0.5x and 0.25x g3 and of 1x g2 and g4. The sums are those
of channels in the lanes, to the last bit.

Y may have channels in the lanes: then a tile of rows of 8 channels goes to a scratch, and across
from there. As above, of stride 2, in brackets by `window`:

    30x28x28 1.9 (3.3) / 2.2 (3.6)    60x28x28  3.5  (5.7) / 4.4  (6.4)
    30x56x56 6.1 (13)  / 8.7 (17)     136x28x28 7.3 (12.3) / 9.3 (13.9)

Four channels at a time take 0.96 to 1.19 times as long. In the network, with AVX-512, about 1 % of
0.25x g3, 0.4 of 0.5x g3 and 1x g4.

A bias is one more operation for each nine: 120x14x14 takes 64 / 44 with one. All rows of 14 in four
vectors of four, of which the last begins earlier: 76 / 46 in tiles of two rows, 64 / 42 of one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.depthwise_inputs import BORDER
from compile.schedules.depthwise_tile import (
    KERNEL,
    Buffers,
    Target,
    make_tile,
    taps_of,
    tiles_of_rows,
)
from compile.schedules.depthwise_vectors import RowsTile
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.threads import MOST_UNEVEN, Bounds, share_of, unevenness
from compile.schedules.transpose import row_of, store_across
from compile.schedules.window_workload import WindowWorkload

MOST_CHANNELS_TOGETHER = 8


def can_convolve_rows(workload: WindowWorkload) -> bool:
    """Whether `workload` is a depthwise 3x3 over planes that this template knows.

    At stride 2 of even sizes only: then borders are met at the top and at the left. A single column
    of output is no vector.
    """
    stride = workload.stride
    shape = (workload.kernel, workload.padding) == ((KERNEL, KERNEL), (BORDER, BORDER))
    sizes = stride == 1 or (stride == 2 and all(extent % 2 == 0 for extent in workload.size))
    planes = workload.kind == "conv" and workload.layout == "planes"
    vectors = workload.output_size[1] > 1
    return workload.is_channelwise and shape and sizes and planes and vectors


def pack_weights(weights: np.ndarray, workload: WindowWorkload) -> np.ndarray:
    """OIHW (channels, 1, 3, 3) to (channels, 9)."""
    return np.ascontiguousarray(weights.reshape(workload.channels, KERNEL * KERNEL))


def depthwise_rows(workload: WindowWorkload, tile: RowsTile, threads: int) -> tirx.PrimFunc:
    """The kernel: parameters X (channels, H, W), W as packed, [B (channels,)], Y.

    Y is (channels, rows, columns), or with channels last where the workload says so. Threads share
    the tiles of rows, or the channels where those are too few.
    """
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("window")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        buffers = Buffers(
            x=T.arg("X", T.Buffer((workload.channels, *workload.size), workload.dtype)),
            weights=T.arg("W", T.Buffer((workload.channels, KERNEL * KERNEL), workload.dtype)),
            bias=T.arg("B", T.Buffer((workload.channels,), workload.dtype))
            if workload.bias
            else None,
            y=T.arg("Y", T.Buffer(workload.output_shape, workload.result_dtype)),
        )
        (_make_channels if workload.writes_channels else _make_planes)(
            workload, tile, threads, buffers
        )
    return builder.get().without_attr("global_symbol")


def _make_planes(workload: WindowWorkload, tile: RowsTile, threads: int, buffers: Buffers) -> None:
    count = tiles_of_rows(workload, tile)
    for channel, tiles in _each_share(workload.channels, count, threads):
        taps = taps_of(buffers.weights, channel)
        with T.serial(*tiles) as index:
            row = start_of(index, tile.rows, workload.output_size[0])
            target = Target(buffers.y, workload.first_channel + channel, row)
            make_tile(workload, tile, (channel, index), taps, buffers, target)


def _make_channels(
    workload: WindowWorkload, tile: RowsTile, threads: int, buffers: Buffers
) -> None:
    """A tile of rows of a block of channels goes to a scratch, and from there across."""
    rows, columns = workload.output_size
    together = _channels_together(workload)
    blocks = len(tile_starts(workload.channels, together))
    for block, tiles in _each_share(blocks, tiles_of_rows(workload, tile), threads):
        first = start_of(block, together, workload.channels)
        with T.serial(*tiles) as index:
            made = T.alloc_buffer((together, tile.rows, columns), str(buffers.y.dtype))
            with T.serial(together) as inner:
                taps = taps_of(buffers.weights, first + inner)
                target = Target(made, inner, 0)
                make_tile(workload, tile, (first + inner, index), taps, buffers, target)
            with T.serial(tile.rows) as row:
                store_across(
                    row_of(made, row),
                    (together, columns),
                    buffers.y,
                    (start_of(index, tile.rows, rows) + row, workload.first_channel + first),
                )


def _channels_together(workload: WindowWorkload) -> int:
    """Of a block that comes into the lanes: a power of two, no more than there are columns."""
    most = min(MOST_CHANNELS_TOGETHER, workload.channels, workload.output_size[1])
    return 1 << (most.bit_length() - 1)


def _each_share(blocks: int, count: int, threads: int) -> Iterator[tuple[tirx.Expr, Bounds]]:
    """The loop over a thread's `blocks` of channels, and which of the `count` tiles of rows it
    makes.
    """
    by_rows = unevenness(count, threads) <= max(MOST_UNEVEN, unevenness(blocks, threads))
    with share_of(count if by_rows else blocks, threads) as share:
        own, tiles = ((0, blocks), share) if by_rows else (share, (0, count))
        with T.serial(*own) as block:
            yield block, tiles
