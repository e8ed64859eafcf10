"""Pools over planes of any size and stride.

    Y[c, y, x] = max or mean over i, j of P[c, s*y + i, s*x + j]

A mean is over all taps, or over those in the picture (`average_inside`). P is the input with its
border, which is never built: a pool goes line by line (`pool_lines`), or keeps rows in registers
where it halves them (`pool_rows`).
"""

from __future__ import annotations

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.pool_lines import by_lines
from compile.schedules.pool_rows import pool_rows
from compile.schedules.pool_tiles import PoolTile
from compile.schedules.threads import share_of
from compile.schedules.window_workload import WindowWorkload


def pool(workload: WindowWorkload, tile: PoolTile, threads: int) -> tirx.PrimFunc:
    """The kernel: parameters X (channels, H, W) and Y, of the workload's dtypes.

    Y is (channels, rows, columns), or with channels last where the workload says so. Threads share
    the rows.
    """
    rows, _ = workload.output_size
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("pool")
        T.func_attr({"tirx.noalias": True, "macs": 0, "schedule": "default"})
        x = T.arg("X", T.Buffer((workload.channels, *workload.size), workload.dtype))
        y = T.arg("Y", T.Buffer(workload.output_shape, workload.dtype))
        with share_of(rows, threads) as share:
            if tile.in_registers:
                pool_rows(workload, tile.lanes, tile.maxnum, share, x, y)
            else:
                by_lines(workload, tile, share, x, y)
    return builder.get().without_attr("global_symbol")
