"""Where a tile of a grouped 1x1 convolution lies, the buffers that it reads and writes, and what it
does with a value before and behind the sum of products.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx

from compile.schedules.maximum import at_least, rectified
from compile.schedules.pointwise_workload import PointwiseWorkload


@dataclass(frozen=True)
class Place:
    """Where a tile lies: its group, its index and first output within it, its first pixel."""

    group: tirx.Expr
    m_tile: tirx.Expr
    output: tirx.Expr
    n_tile: tirx.Expr
    pixel: tirx.Expr


@dataclass(frozen=True)
class Operands:
    """The kernel's buffers; what a workload has not is None."""

    x: tirx.Buffer
    weights: tirx.Buffer
    bias: tirx.Buffer | None
    shortcut: tirx.Buffer | None
    floor: tirx.Buffer | None
    y: tirx.Buffer

    def before(self, channel: tirx.Expr, at: list[tirx.Expr]) -> tirx.Expr:
        """What a sum begins with: the bias of `channel`, the shortcut `at` its place, or both."""
        if self.shortcut is None:
            return self.bias[channel]
        shortcut = self.shortcut[at]
        return shortcut if self.bias is None else shortcut + self.bias[channel]

    def behind(
        self,
        workload: PointwiseWorkload,
        value: tirx.Expr,
        channel: tirx.Expr,
        *,
        maxnum: bool,
    ) -> tirx.Expr:
        """The result of a finished sum."""
        if self.floor is not None:
            return at_least(value, self.floor[channel], maxnum=maxnum)
        return rectified(value, maxnum=maxnum) if workload.relu else value
