"""The stem with its pool: a 3x3 convolution, ReLU and a 3x3 max pool, both of stride 2.

They read planes, which is how a picture comes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from compile.schedules.layouts import Layout
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Dtype

KERNEL, STRIDE = 3, 2  # of the convolution and of the pool
ROWS = COLUMNS = 2  # of the convolution, for each row and column of the pool
FLOAT: Dtype = "float32"  # of all but the result


@dataclass(frozen=True)
class StemPoolWorkload:
    """`outputs` from `inputs` planes of `size` (rows, columns); `layout` is of Y.

    With `winograd` rows of the convolution share products (see `stem_pool_winograd`).
    """

    outputs: int
    inputs: int
    size: tuple[int, int]
    result_dtype: Dtype = "float32"
    layout: Layout = "planes"
    winograd: bool = False

    @property
    def as_window(self) -> WindowWorkload:
        """The window of the input that a value of the pool depends on."""
        seen = KERNEL + STRIDE * (ROWS - 1)
        return WindowWorkload(
            "conv", 1, self.outputs, self.inputs, self.size, (seen, seen), STRIDE**2, (1, 1)
        )

    @property
    def output_layout(self) -> Layout:
        """Of Y."""
        return self.layout

    @property
    def output_size(self) -> tuple[int, int]:
        """Rows and columns of the pool."""
        return self.as_window.output_size

    @property
    def convolved_shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of what the convolution makes."""
        rows, columns = self.output_size
        return self.outputs, ROWS * rows, COLUMNS * columns

    @property
    def is_even(self) -> bool:
        """Whether the picture halves twice without a rest, which the templates need."""
        return all(size % STRIDE**2 == 0 for size in self.size)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one call."""
        return math.prod(self.convolved_shape) * self.inputs * KERNEL**2
