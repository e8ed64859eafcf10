"""What a fully connected layer computes: its extents, and the global average pool before it."""

from __future__ import annotations

from dataclasses import dataclass

from compile.schedules.layouts import Layout, matrix_shape
from deploy_rpc.cores import Dtype


@dataclass(frozen=True)
class DenseWorkload:
    """M outputs from K inputs.

    `pixels` is how many each input is the mean of, 1 without a pool; `layout` is of what is given
    then: "planes" (K, pixels) or "channels" (pixels, K). Weights of 24 `weight_bits` are whole
    numbers of that width (`dense_words.py`).
    """

    outputs: int
    inputs: int
    relu: bool
    pixels: int = 1
    layout: Layout = "planes"
    dtype: Dtype = "float32"
    result_dtype: Dtype = "float32"
    weight_bits: int = 32

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one call; the pool has none."""
        return self.outputs * self.inputs

    @property
    def output_layout(self) -> Layout:
        """Of what comes out, which is a vector."""
        return "planes"

    @property
    def given_shape(self) -> tuple[int, ...]:
        """Of what the kernel reads."""
        if self.pixels == 1:
            return (self.inputs,)
        return matrix_shape(self.layout, self.inputs, self.pixels)
