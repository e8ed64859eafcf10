"""What int8 kernels compute: the workloads of float32, and how a sum becomes int8 again.

Real values are scale * (q - zero). Scales are in the multipliers, one for each channel of the
output, an operand of the kernel (see `int8_lanes`); the zeros of inputs and outputs are in the
biases, int32, but for the one that a border is made of.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from compile.schedules.dense_workload import DenseWorkload
from compile.schedules.int8_lanes import LOWEST, Ending
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.window_workload import WindowWorkload
from deploy_rpc.cores import Dtype

INT8: Dtype = "int8"
CALIBRATED = {"shift": 1, "lowest": LOWEST, "narrow": False, "zero": 0}


@dataclass(frozen=True)
class Int8PointwiseWorkload(PointwiseWorkload):
    """A grouped 1x1 convolution of int8; its bias is always there, the shortcut of Y's scale."""

    dtype: Dtype = INT8
    shift: int = 1
    lowest: int = LOWEST
    narrow: bool = False

    @property
    def ending(self) -> Ending:
        """What makes int8 of a sum."""
        return Ending(self.shift, self.lowest, self.narrow)

    @property
    def shortcut_operand(self) -> int:
        """Behind X, W, B and the multipliers."""
        return 4


@dataclass(frozen=True)
class Int8WindowWorkload(WindowWorkload):
    """A convolution of int8, channelwise or of the float32 picture, which it makes int8 first.

    An average pool is a channelwise one, too, with its shares for weights, which its channels
    have in common.

    The border holds `zero`. The picture is multiplied by `picture_scale` and rounded.
    """

    dtype: Dtype = INT8
    result_dtype: Dtype = INT8
    shift: int = 1
    lowest: int = LOWEST
    narrow: bool = False
    zero: int = 0
    picture_scale: float = 0.0

    @property
    def weights_shape(self) -> tuple[int, int, int, int]:
        """OIHW; of an average pool with a single O."""
        outputs = 1 if self.kind == "average" else self.channels
        return outputs, self.inputs, *self.kernel

    @property
    def ending(self) -> Ending:
        """What makes int8 of a sum."""
        return Ending(self.shift, self.lowest, self.narrow)


@dataclass(frozen=True)
class Int8DenseWorkload(DenseWorkload):
    """A dense layer of int8 whose results are float32, and the global pool before it.

    Sums over the `pixels` of a channel become int8 by its multiplier and `shift`.
    """

    dtype: Dtype = INT8
    shift: int = 1


def uncalibrated(workload: Any) -> Any:  # noqa: ANN401 (any template's workload)
    """`workload` without what calibration decides, of which no loop depends.

    So a record counts for any weights and pictures. A workload of floats is what it was.
    """
    fields = {name: value for name, value in CALIBRATED.items() if hasattr(workload, name)}
    if getattr(workload, "picture_scale", 0):
        fields["picture_scale"] = 1.0
    return dataclasses.replace(workload, **fields)
