"""Every convolution has a bias, and a pool of the whole picture is a mean."""

from __future__ import annotations

import numpy as np
import pytest
from tvm import relax

from compile.passes.plain_forms import into_plain_forms
from tests.graphs import graph, numbers
from tests.test_fold_batch_norm import operators, run

NN = relax.op.nn
WEIGHTS = relax.const(np.ones((2, 6, 1, 1), np.float32))
BIAS = relax.const(np.ones((1, 2, 1, 1), np.float32))


def test_a_convolution_without_a_bias_gets_zeros() -> None:
    before = graph(lambda b, x: NN.relu(b.emit(NN.conv2d(x, WEIGHTS))))
    after = into_plain_forms(before)
    assert operators(after) == ["nn.conv2d", "add", "nn.relu"]
    np.testing.assert_array_equal(run(after, numbers()), run(before, numbers()))


def test_a_convolution_with_a_bias_keeps_it() -> None:
    before = graph(lambda b, x: NN.relu(b.emit(relax.op.add(b.emit(NN.conv2d(x, WEIGHTS)), BIAS))))
    assert operators(into_plain_forms(before)) == ["nn.conv2d", "add", "nn.relu"]


def test_a_pool_of_the_whole_picture_is_a_mean() -> None:
    before = graph(lambda _, x: NN.avg_pool2d(x, (4, 5)))
    after = into_plain_forms(before)
    assert operators(after) == ["mean"]
    np.testing.assert_allclose(run(after, numbers()), run(before, numbers()), rtol=1e-5)


@pytest.mark.parametrize("padding", [(0, 0), (1, 1)])
def test_any_other_pool_is_left_alone(padding: tuple[int, int]) -> None:
    before = graph(lambda _, x: NN.avg_pool2d(x, (4, 4), padding=padding))
    assert operators(into_plain_forms(before)) == ["nn.avg_pool2d"]
