"""The scratch of a windowed kernel: its input with a border, by column phase.

    phases[k, j, row, x] = P[k, row, stride * x + j]

Outputs side by side so read inputs side by side at any stride.
"""

from __future__ import annotations

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.threads import Bounds
from compile.schedules.window_workload import WindowWorkload


def fill_phases(
    workload: WindowWorkload,
    lanes: int,
    group: int | tirx.Expr,
    x: tirx.Buffer,
    phases: tirx.Buffer,
    output_rows: Bounds,
) -> None:
    """Copies what a band of output rows reads of a group's planes, border included, by phase.

    Between the borders there is no condition, and whole vectors are sorted by one shuffle each.
    """
    channels, stride, _, phase_columns = workload.phases_shape
    first, end = columns_inside(workload)
    top, bottom = output_rows
    rows = (bottom - 1 - top) * stride + workload.kernel[0]
    with T.serial(channels) as k, T.serial(rows) as row:
        source_row = top * stride + row - workload.padding[0]

        def source(column: int | tirx.Expr, phase: int) -> int | tirx.Expr:
            return column * stride + phase - workload.padding[1]

        def copy(column: int | tirx.Expr, phase: int) -> None:
            value = x[group * workload.inputs + k, source_row, source(column, phase)]
            T.buffer_store(phases, value, [k, phase, row, column])

        def copy_vectors(column: tirx.Expr) -> None:
            width = stride * lanes
            together = x[
                group * workload.inputs + k, source_row, T.Ramp(source(column, 0), 1, width)
            ]
            for phase in range(stride):
                value = tirx.Shuffle([together], list(range(phase, width, stride)))
                T.buffer_store(phases, value, [k, phase, row, T.Ramp(column, 1, lanes)])

        def blank(column: int | tirx.Expr, phase: int) -> None:
            T.buffer_store(phases, tirx.const(0, workload.dtype), [k, phase, row, column])

        with T.If(tirx.all(source_row >= 0, source_row < workload.size[0])):
            with T.Then():
                if lanes > 1 and end - first >= lanes:
                    with T.serial(len(tile_starts(end - first, lanes))) as step:
                        copy_vectors(first + start_of(step, lanes, end - first))
                elif end > first:
                    with T.serial(end - first) as inside:
                        for phase in range(stride):
                            copy(first + inside, phase)
                for column in [*range(first), *range(end, phase_columns)]:
                    for phase in range(stride):
                        is_inside = 0 <= source(column, phase) < workload.size[1]
                        (copy if is_inside else blank)(column, phase)
            with T.Else(), T.serial(phase_columns) as column:
                for phase in range(stride):
                    blank(column, phase)


def columns_inside(workload: WindowWorkload) -> tuple[int, int]:
    """First and end of the columns of a phase that lie in the picture in every phase."""
    stride, padding, phase_columns = workload.stride, workload.padding[1], workload.phases_shape[3]
    first = min(-(-padding // stride), phase_columns)
    end = (workload.size[1] + padding - stride) // stride + 1
    return first, max(first, min(end, phase_columns))
