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
    """Where a tile lies: its group, its index and first output within it, its first pixel.

    `biases` are those of its group once a lane, where they are spread; `pitch` is the pixels of a
    plane as LLVM does not know them, where vectors are stored in pairs. Of inputs in halves `half`
    is the one that is added here; the sums of the first wait in Y.
    """

    group: tirx.Expr
    m_tile: tirx.Expr
    output: tirx.Expr
    n_tile: tirx.Expr
    pixel: tirx.Expr
    biases: tirx.Buffer | None = None
    pitch: tirx.Expr | None = None
    half: int | None = None


@dataclass(frozen=True)
class Operands:
    """The kernel's buffers; what a workload has not is None."""

    x: tirx.Buffer
    weights: tirx.Buffer
    bias: tirx.Buffer | None
    shortcut: tirx.Buffer | None
    floor: tirx.Buffer | None
    y: tirx.Buffer

    def before(self, bias: tirx.Expr | None, at: list[tirx.Expr]) -> tirx.Expr:
        """What a sum begins with: its bias, the shortcut `at` its place, or both."""
        if self.shortcut is None:
            return bias
        shortcut = self.shortcut[at]
        return shortcut if bias is None else shortcut + bias

    def bias_of(self, channel: tirx.Expr) -> tirx.Expr | None:
        """The bias of `channel`, if there is one."""
        return None if self.bias is None else self.bias[channel]

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
