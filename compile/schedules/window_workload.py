"""What a windowed kernel computes: a convolution, a depthwise one or a pool, in either layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from compile.schedules.layouts import Layout
from deploy_rpc.cores import Dtype


@dataclass(frozen=True)
class WindowWorkload:
    """M outputs from K inputs in each of `groups`; a pool has one of each in every group.

    Sizes are (rows, columns): `size` of the input, `kernel`, `padding` on all sides alike, or else
    (top, left, bottom, right). An `average` divides by all taps, an `average_inside` by those in
    the picture. Only a channelwise convolution may have no `bias`. Outputs are channels
    `first_channel` and on of the `stored_channels` of Y (0: Y has no others).

    `layout` says what is in the lanes. Where two layouts meet, a kernel makes the change by itself:
    with channels in the lanes a convolution may read planes, and one of planes write channels.
    """

    kind: Literal["conv", "max", "average", "average_inside"]
    groups: int
    outputs: int
    inputs: int
    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: int
    padding: tuple[int, int] | tuple[int, int, int, int]
    relu: bool = False
    layout: Layout = "planes"
    reads_planes: bool = False
    writes_channels: bool = False
    first_channel: int = 0
    stored_channels: int = 0
    bias: bool = True
    dtype: Dtype = "float32"
    result_dtype: Dtype = "float32"

    @property
    def is_channelwise(self) -> bool:
        """Whether every output channel has one input channel of its own."""
        return self.inputs == self.outputs == 1

    @property
    def is_average(self) -> bool:
        """Whether it is a pool of means."""
        return self.kind in ("average", "average_inside")

    @property
    def output_layout(self) -> Layout:
        """Of Y."""
        return "channels" if self.writes_channels else self.layout

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """Of Y: (channels, rows, columns), or with channels last where they are in the lanes."""
        channels, (rows, columns) = self.stored_channels or self.channels, self.output_size
        in_lanes = self.output_layout == "channels"
        return (rows, columns, channels) if in_lanes else (channels, rows, columns)

    @property
    def border(self) -> tuple[int, int, int, int]:
        """The padding at the top, left, bottom and right."""
        return (*self.padding[:2], *self.padding[-2:])

    @property
    def output_size(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        before, behind = self.border[:2], self.border[2:]
        rows, columns = (
            (self.size[axis] + before[axis] + behind[axis] - self.kernel[axis]) // self.stride + 1
            for axis in (0, 1)
        )
        return rows, columns

    @property
    def channels(self) -> int:
        """Output channels of all groups."""
        return self.groups * self.outputs

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one call; a pool has none."""
        rows, columns = self.output_size
        taps = self.inputs * self.kernel[0] * self.kernel[1]
        return self.channels * rows * columns * taps if self.kind == "conv" else 0

    @property
    def phases_shape(self) -> tuple[int, int, int, int]:
        """Of one group's scratch: channels, column phases, rows, columns of a phase."""
        rows, columns = self.output_size
        return (
            self.inputs,
            self.stride,
            (rows - 1) * self.stride + self.kernel[0],
            columns + (self.kernel[1] - 1) // self.stride,
        )
