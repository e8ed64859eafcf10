"""The unscheduled form of a kernel computes what the template's does."""

from __future__ import annotations

import numpy as np
import pytest

from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.templates import Convolution, made_by_default
from compile.schedules.window_workload import WindowWorkload
from compile.tuning.candidate import answer_here, difference
from compile.tuning.plain_kernel import WEIGHTS, plain_kernel
from tests.cores import A72


@pytest.mark.parametrize(
    "workload",
    [
        PointwiseWorkload(2, 4, 4, 16, relu=True, shortcut=True),
        PointwiseWorkload(1, 4, 4, 15, relu=False, shortcut=False),  # no square of pixels
        WindowWorkload("conv", 2, 3, 2, (6, 6), (3, 3), 2, (1, 1), relu=True),
        WindowWorkload("conv", 2, 3, 2, (6, 5), (3, 3), 2, (0, 1, 1, 0)),
    ],
)
def test_the_plain_kernel_computes_what_the_template_does(workload: Convolution) -> None:
    plain = plain_kernel(workload)
    chance = np.random.default_rng(0)
    values = [
        chance.standard_normal([int(extent) for extent in buffer.shape]).astype("float32")
        for buffer in plain.params
    ]
    made = made_by_default(workload, A72, 1)
    packed = [made.packed(value) if at == WEIGHTS else value for at, value in enumerate(values)]
    shapes = [[int(extent) for extent in buffer.shape] for buffer in made.kernel().params]
    packed = [
        np.ascontiguousarray(value).reshape(shape)
        for value, shape in zip(packed, shapes, strict=True)
    ]
    expected = answer_here(made.kernel(), packed)
    assert difference(answer_here(plain, values).reshape(expected.shape), expected) < 1e-6
