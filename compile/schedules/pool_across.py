"""A pool of planes whose results have channels in the lanes."""

from __future__ import annotations

from collections.abc import Callable

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.spans import Index
from compile.schedules.threads import Bounds
from compile.schedules.tiles import vector_width
from compile.schedules.transpose import store_across
from compile.schedules.window_workload import WindowWorkload

PoolRow = Callable[[tirx.Expr, tirx.Expr, tirx.Buffer, list[Index]], None]


def pool_across(
    workload: WindowWorkload, lanes: int, share: Bounds, y: tirx.Buffer, pool_row: PoolRow
) -> None:
    """Rows of some channels go to a scratch, which is read across: stores of whole vectors.

    `pool_row(channel, row, scratch, at)` makes a row of a channel, from `at` on in the scratch. The
    rows are a thread's `share`. Squares need as many columns as channels: 272 channels of 28x28,
    16 together, took 16 us instead of 13 (one thread of an EPYC, Zen 5, AVX-512, 2026-11-27).
    """
    columns = workload.output_size[1]
    together = vector_width(workload.channels, min(lanes, columns))
    with T.serial(workload.channels // together) as block, T.serial(*share) as row:
        pooled = T.alloc_buffer((together, columns), workload.dtype)
        with T.serial(together) as inner:
            pool_row(block * together + inner, row, pooled, [inner])
        at = row, workload.first_channel + block * together
        store_across(lambda *where: pooled[where], (together, columns), y, at)
