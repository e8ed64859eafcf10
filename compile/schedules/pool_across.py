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
    rows are a thread's `share`.
    """
    columns, together = workload.output_size[1], vector_width(workload.channels, lanes)
    with T.serial(workload.channels // together) as block, T.serial(*share) as row:
        pooled = T.alloc_buffer((together, columns), workload.dtype)
        with T.serial(together) as inner:
            pool_row(block * together + inner, row, pooled, [inner])
        at = row, workload.first_channel + block * together
        store_across(lambda *where: pooled[where], (together, columns), y, at)
