"""The scratch of a windowed kernel: its input with a border, by column phase.

    phases[k, j, row, x] = P[k, row, stride * x + j]

Outputs side by side so read inputs side by side at any stride.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.spans import Index
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
    top, bottom = output_rows
    rows = (bottom - 1 - top) * workload.stride + workload.kernel[0]
    with T.serial(workload.phases_shape[0]) as k, T.serial(rows) as row:
        source_row = top * workload.stride + row - workload.padding[0]
        one = _Row(workload, x, phases, group * workload.inputs + k, source_row, k, row)
        with T.If(tirx.all(source_row >= 0, source_row < workload.size[0])):
            with T.Then():
                one.copy_all(lanes)
            with T.Else():
                one.blank_all()


@dataclass(frozen=True)
class _Row:
    """Row `row` of channel `k` of the scratch, and which row of which channel of X it is."""

    workload: WindowWorkload
    x: tirx.Buffer
    phases: tirx.Buffer
    channel: tirx.Expr
    source_row: tirx.Expr
    k: tirx.Expr
    row: tirx.Expr

    def copy_all(self, lanes: int) -> None:
        """Vectors between the borders, if there is one, then single values and the borders."""
        workload, stride = self.workload, self.workload.stride
        first, end = columns_inside(workload)
        if lanes > 1 and end - first >= lanes:
            with T.serial(len(tile_starts(end - first, lanes))) as step:
                self._copy_vectors(first + start_of(step, lanes, end - first), lanes)
        elif end > first:
            with T.serial(end - first) as inside:
                for phase in range(stride):
                    self._copy(first + inside, phase)
        for column in [*range(first), *range(end, workload.phases_shape[3])]:
            for phase in range(stride):
                is_inside = 0 <= self._source(column, phase) < workload.size[1]
                (self._copy if is_inside else self._blank)(column, phase)

    def blank_all(self) -> None:
        """A row of the border."""
        with T.serial(self.workload.phases_shape[3]) as column:
            for phase in range(self.workload.stride):
                self._blank(column, phase)

    def _source(self, column: Index, phase: int) -> Index:
        return column * self.workload.stride + phase - self.workload.padding[1]

    def _copy(self, column: Index, phase: int) -> None:
        value = self.x[self.channel, self.source_row, self._source(column, phase)]
        T.buffer_store(self.phases, value, [self.k, phase, self.row, column])

    def _copy_vectors(self, column: tirx.Expr, lanes: int) -> None:
        """One of each phase, of values that lie together."""
        stride = self.workload.stride
        width = stride * lanes
        source = T.Ramp(self._source(column, 0), 1, width)
        together = self.x[self.channel, self.source_row, source]
        for phase in range(stride):
            value = tirx.Shuffle([together], list(range(phase, width, stride)))
            at = [self.k, phase, self.row, T.Ramp(column, 1, lanes)]
            T.buffer_store(self.phases, value, at)

    def _blank(self, column: Index, phase: int) -> None:
        nothing = tirx.const(0, self.workload.dtype)
        T.buffer_store(self.phases, nothing, [self.k, phase, self.row, column])


def columns_inside(workload: WindowWorkload) -> tuple[int, int]:
    """First and end of the columns of a phase that lie in the picture in every phase."""
    stride, padding, phase_columns = workload.stride, workload.padding[1], workload.phases_shape[3]
    first = min(-(-padding // stride), phase_columns)
    end = (workload.size[1] + padding - stride) // stride + 1
    return first, max(first, min(end, phase_columns))
