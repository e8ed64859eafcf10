"""Borders of zeros become paddings; other borders stay what they are."""

from __future__ import annotations

import numpy as np
import pytest
from tvm import relax

from compile.frontend.pads import into_padding
from tests.graphs import graph, numbers
from tests.test_fold_batch_norm import operators, run

NN = relax.op.nn
WEIGHTS = relax.const(np.random.default_rng(1).standard_normal((2, 6, 3, 3)).astype(np.float32))
BEHIND = [0, 0, 0, 0, 0, 1, 0, 2]


def padded(body: object, widths: list[int], mode: str = "constant", value: float = 0.0) -> object:
    return graph(lambda b, x: body(b.emit(NN.pad(x, widths, mode, value))))


def test_a_border_before_a_convolution_adds_to_its_padding() -> None:
    before = padded(lambda x: NN.conv2d(x, WEIGHTS, padding=(1, 0, 0, 0)), BEHIND)
    after = into_padding(before)
    assert operators(after) == ["nn.conv2d"]
    assert list(after["main"].body.blocks[0].bindings[0].value.attrs.padding) == [1, 0, 1, 2]
    np.testing.assert_array_equal(run(after, numbers()), run(before, numbers()))


def test_a_border_before_an_average_is_counted() -> None:
    before = padded(lambda x: NN.avg_pool2d(x, (3, 3), (2, 2)), BEHIND)
    after = into_padding(before)
    assert operators(after) == ["nn.avg_pool2d"]
    np.testing.assert_allclose(run(after, numbers()), run(before, numbers()), rtol=1e-6)


@pytest.mark.parametrize(
    ("widths", "mode", "value"),
    [
        ([0, 0, 0, 0, 1, 1, 1, 1], "constant", 1.0),
        ([0, 0, 0, 0, 1, 1, 1, 1], "reflect", 0.0),
        ([0, 0, 0, 0, 0, 0, -1, 0], "constant", 0.0),
    ],
    ids=["ones", "reflected", "cut off"],
)
def test_another_border_is_left_alone(widths: list[int], mode: str, value: float) -> None:
    before = padded(lambda x: NN.conv2d(x, WEIGHTS), widths, mode, value)
    assert operators(into_padding(before)) == ["nn.pad", "nn.conv2d"]


@pytest.mark.parametrize("widths", [[3, 0], [0, 2]], ids=["before", "behind"])
def test_a_border_with_room_for_a_window_of_an_average_is_left_alone(widths: list[int]) -> None:
    before = padded(lambda x: NN.avg_pool2d(x, (2, 2)), [0, 0, 0, 0, *widths, 0, 0])
    assert operators(into_padding(before)) == ["nn.pad", "nn.avg_pool2d"]


def test_a_pool_with_a_padding_of_its_own_is_left_alone() -> None:
    before = padded(lambda x: NN.avg_pool2d(x, (2, 2), padding=(1, 1)), BEHIND)
    assert operators(into_padding(before)) == ["nn.pad", "nn.avg_pool2d"]
