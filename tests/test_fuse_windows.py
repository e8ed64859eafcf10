"""Convolutions and pools become kernels of the window template; what it cannot do stays."""

from __future__ import annotations

import pytest
from torch import nn
from tvm import relax

from compile.passes.fuse_windows import fuse_windows
from compile.passes.rewriting import Choices
from tests.cores import A72
from tests.graphs import graph
from tests.test_fold_batch_norm import operators
from tests.test_fuse_pointwise import check_numbers, fused

FUSED = {
    "stem": nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
    "no bias": nn.Conv2d(3, 6, 3, bias=False),
    "depthwise": nn.Conv2d(3, 3, 3, 1, 1, groups=3),
    "grouped 5x5": nn.Sequential(nn.Conv2d(3, 6, 5, 1, 2, groups=3), nn.ReLU()),
    "strided pointwise": nn.Conv2d(3, 6, 1, 2),
    "max pool": nn.MaxPool2d(3, 2, 1),
    "average pool": nn.AvgPool2d(3, 2, 1),
    "average of the picture alone": nn.AvgPool2d(3, 2, 1, count_include_pad=False),
    "average pool without a border": nn.AvgPool2d(2, 2, count_include_pad=False),
}
LEFT_ALONE = {
    "dilation": nn.Conv2d(3, 6, 3, dilation=2),
    "unequal strides": nn.Conv2d(3, 6, 3, stride=(1, 2)),
    "ceil mode": nn.MaxPool2d(3, 2, ceil_mode=True),
}


@pytest.mark.parametrize("name", FUSED)
def test_a_window_becomes_one_kernel(name: str) -> None:
    network, module = fused(FUSED[name], side=8)
    assert set(operators(module)) == {"call_tir", "reshape"}
    assert operators(module).count("call_tir") == 1
    check_numbers(network)


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_the_template_cannot_do_is_left_alone(name: str) -> None:
    network, module = fused(LEFT_ALONE[name], side=8)
    assert "call_tir" not in operators(module)
    check_numbers(network)


@pytest.mark.parametrize("operator", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize("border", [(3, 0, 0, 0), (0, 0, 0, 3), (2, 2, 2, 2)], ids=str)
def test_a_pool_with_windows_in_its_border_is_left_alone_where_one_lies_in_it_alone(
    operator: str, border: tuple[int, ...]
) -> None:
    """The first row that a window of 3 reads is in the picture, if the border is of at most 2."""
    pool = getattr(relax.op.nn, operator)
    before = graph(lambda _, x: pool(x, (3, 3), (1, 1), border))
    left = fuse_windows(Choices(A72, 1, lambda _: "planes"))(before)
    has_kernel = "call_tir" in operators(left)
    assert has_kernel == (max(border) < 3)
