"""Six convolutions of ShuffleNet 1x g3, by the names that they have in the network.

All in planes and without the channel shuffle; bias, ReLU and shortcut are those of the network.
"""

from __future__ import annotations

from dataclasses import dataclass

from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.templates import Convolution
from compile.schedules.window_workload import WindowWorkload


@dataclass(frozen=True)
class PlainKernel:
    """A convolution by the name that it has in the network."""

    name: str
    workload: Convolution


KERNELS = (
    PlainKernel("stem", WindowWorkload("conv", 1, 24, 3, (224, 224), (3, 3), 2, (1, 1), relu=True)),
    PlainKernel("stage 2 GConv1", PointwiseWorkload(3, 20, 80, 784, relu=True, shortcut=False)),
    PlainKernel("stage 2 GConv2", PointwiseWorkload(3, 80, 20, 784, relu=True, shortcut=True)),
    PlainKernel("stage 2 DWConv", WindowWorkload("conv", 60, 1, 1, (28, 28), (3, 3), 1, (1, 1))),
    PlainKernel("stage 3 GConv1", PointwiseWorkload(3, 40, 160, 196, relu=True, shortcut=False)),
    PlainKernel("stage 4 GConv1", PointwiseWorkload(3, 80, 320, 49, relu=True, shortcut=False)),
)
