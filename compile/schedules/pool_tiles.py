"""The decisions of a pool over planes, and those that it has by default."""

from __future__ import annotations

from dataclasses import dataclass

from compile.schedules.maximum import has_maxnum
from compile.schedules.pool_rows import can_pool_rows
from compile.schedules.short_rows import is_short
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Core


@dataclass(frozen=True)
class PoolTile:
    """The decisions: vectors of `lanes` outputs, and which maximum.

    `in_registers`, where it `can_pool_rows`, writes no line in between.
    """

    lanes: int
    maxnum: bool
    in_registers: bool = False


def default_tile(workload: WindowWorkload, core: Core) -> PoolTile:
    """The longest vectors that fit a row."""
    rows, columns = workload.output_size
    lanes = min(core.lanes, 1 << (columns.bit_length() - 1))
    in_registers = lanes > 1 and can_pool_rows(workload)
    if in_registers and is_short(rows, columns, core):
        lanes = core.lanes
    return PoolTile(lanes, has_maxnum(core), in_registers)
