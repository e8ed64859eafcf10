"""What a grouped 1x1 convolution computes: its extents, its layout, where channels come and go."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx

from compile.schedules.layouts import Layout, matrix_shape
from deploy_rpc.cores import Dtype


@dataclass(frozen=True)
class PointwiseWorkload:
    """M outputs from K inputs in each of `groups`, at `pixels` (N) places.

    `shuffle_rows` is the r of a shuffle of the C = groups * M outputs, reshape (r, C / r) and
    transpose; `load_rows` that of a shuffle of the inputs before; 1 is no shuffle. Outputs are
    channels `first_channel` and on of the `stored_channels` of Y (0: Y has no others). With
    `in_place` the shortcut is what Y holds before.

    With a `floor` the results are the larger of the sum and a constant of each channel, instead of
    0. Without a `bias` there has to be a shortcut.
    """

    groups: int
    outputs: int
    inputs: int
    pixels: int
    relu: bool
    shortcut: bool
    shuffle_rows: int = 1
    load_rows: int = 1
    layout: Layout = "planes"
    first_channel: int = 0
    stored_channels: int = 0
    in_place: bool = False
    bias: bool = True
    floor: bool = False
    dtype: Dtype = "float32"

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one call."""
        return self.groups * self.outputs * self.inputs * self.pixels

    @property
    def channels(self) -> int:
        """Output channels of all groups."""
        return self.groups * self.outputs

    @property
    def shortcut_operand(self) -> int:
        """Which of the operands the shortcut is, behind X, W and maybe B."""
        return 2 + self.bias

    @property
    def output_layout(self) -> Layout:
        """Of Y."""
        return self.layout

    @property
    def output_shape(self) -> tuple[int, int]:
        """Of Y."""
        return matrix_shape(self.layout, self.stored_channels or self.channels, self.pixels)

    def loaded_channel(self, channel: tirx.Expr) -> tirx.Expr:
        """Where `channel` of the shuffled inputs lies in what is given."""
        if self.load_rows == 1:
            return channel
        per_row = self.groups * self.inputs // self.load_rows
        return channel % self.load_rows * per_row + channel // self.load_rows

    def stored_channel(self, channel: tirx.Expr) -> tirx.Expr:
        """Where the shuffle behind, or the concat, puts `channel`."""
        if self.shuffle_rows == 1:
            return channel + self.first_channel
        per_row = self.channels // self.shuffle_rows
        return self.first_channel + channel % per_row * self.shuffle_rows + channel // per_row
