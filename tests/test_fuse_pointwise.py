"""1x1 convolutions take bias, ReLU, shortcut and shuffle with them; other convolutions stay."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
import tvm
from torch import nn
from tvm import relax

from compile.frontend.torch_import import ONE_OUTPUT
from compile.lower import lower
from compile.network import Network
from compile.passes import passes_of
from compile.passes.fuse_pointwise import fuse_pointwise
from compile.passes.rewriting import Choices
from deploy_rpc.cores import Core
from model.shufflenet import ChannelShuffle
from tests.cores import A72, BOTH, host_with_schedules_of
from tests.running import outputs_of
from tests.small_networks import small_network
from tests.test_fold_batch_norm import operators


def grouped(relu: bool = True, **options: object) -> nn.Sequential:
    conv = nn.Conv2d(3, 12, 1, **options)
    return nn.Sequential(conv, nn.BatchNorm2d(12), nn.ReLU() if relu else nn.Identity())


class Residual(nn.Module):
    """relu(x + f(x)) or relu(f(x) + x)."""

    def __init__(self, branch: nn.Module, branch_first: bool) -> None:
        super().__init__()
        self.branch, self.branch_first = branch, branch_first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.branch(x)
        return torch.relu(y + x if self.branch_first else x + y)


class Padded(nn.Module):
    """A reshape and transpose that is no channel shuffle: it swaps channels with rows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.shape
        return x.reshape(n, c, h, w).transpose(1, 2).reshape(n, c, h, w)


def fused(
    module: nn.Module,
    side: int = 7,
    core: Core = A72,
    outputs: Mapping[str, int | None] = ONE_OUTPUT,
) -> tuple[Network, tvm.IRModule]:
    """A small network of `module`, before and after the passes of level `fused`."""
    network = small_network(module, side, outputs)
    result = network.module
    for apply in passes_of("fused", core, 1):
        result = apply(result)
    return network, result


def check_numbers(network: Network) -> None:
    """The network, lowered at level `fused` in both layouts, gives what PyTorch gives."""
    x = network.example_input()
    for core in BOTH:
        lowered = lower(network, "fused", host_with_schedules_of(core))
        # float32 sums of at most 50 products
        for got, wanted in zip(outputs_of(lowered, x), network.references(x), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


FUSED = {
    "plain": grouped(relu=False),
    "relu": grouped(),
    "groups": nn.Sequential(grouped(), nn.Conv2d(12, 24, 1, groups=3)),
    "paper shuffle behind": nn.Sequential(grouped(), ChannelShuffle(3, "paper")),
    "official shuffle behind": nn.Sequential(grouped(), ChannelShuffle(3, "official")),
    "shuffle without relu": nn.Sequential(grouped(relu=False), ChannelShuffle(4, "paper")),
    "shuffle before": nn.Sequential(
        grouped(), nn.MaxPool2d(1), ChannelShuffle(3, "official"), nn.Conv2d(12, 6, 1, groups=3)
    ),
    "shortcut on the left": nn.Sequential(
        grouped(), Residual(nn.Conv2d(12, 12, 1), branch_first=False)
    ),
    "shortcut on the right": nn.Sequential(
        grouped(), Residual(nn.Conv2d(12, 12, 1, groups=3), branch_first=True)
    ),
}


@pytest.mark.parametrize("name", FUSED)
def test_everything_behind_a_pointwise_convolution_is_in_its_kernel(name: str) -> None:
    network, module = fused(FUSED[name])
    assert not set(operators(module)) - {"call_tir", "reshape"}
    check_numbers(network)


def test_a_shuffle_becomes_a_store_index_and_no_kernel() -> None:
    _, module = fused(FUSED["paper shuffle behind"])
    assert operators(module).count("call_tir") == 1
    assert "permute_dims" not in operators(module)


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(3, 6, 1, stride=2),
        nn.Conv2d(3, 6, 1, padding=1),
        nn.Conv2d(3, 6, 3, padding=1),
        nn.Conv2d(3, 6, 1, bias=False),
    ],
    ids=["stride", "padding", "3x3", "no bias"],
)
def test_other_convolutions_are_left_alone(conv: nn.Module) -> None:
    network = small_network(conv, 7)
    module = fuse_pointwise(Choices(A72, 1, lambda _: "planes"))(network.module)
    assert "nn.conv2d" in operators(module)
    assert "call_tir" not in operators(module)


class AddedRow(nn.Module):
    """An addition that only looks like a bias or a shortcut: it differs by column."""

    def __init__(self, biased: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 1, bias=biased)
        self.row = nn.Parameter(torch.arange(7.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv(x) + self.row)


@pytest.mark.parametrize("biased", [True, False], ids=["no shortcut", "no bias"])
def test_an_addition_of_another_shape_is_left_alone(biased: bool) -> None:
    network, module = fused(AddedRow(biased))
    assert {"add", "nn.relu"} <= set(operators(module))
    check_numbers(network)


class Flattened(nn.Module):
    """Two reshapes with a transpose between them, of two dimensions."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(12, 49).transpose(0, 1).reshape(1, 49, 3, 4)


def test_a_transpose_of_two_dimensions_stays() -> None:
    network, module = fused(nn.Sequential(grouped(), Flattened()))
    assert "permute_dims" in operators(module)
    check_numbers(network)


def test_a_transpose_that_is_no_shuffle_stays() -> None:
    network, module = fused(nn.Sequential(grouped(), nn.AdaptiveAvgPool2d((12, 12)), Padded()), 12)
    assert "permute_dims" in operators(module)
    check_numbers(network)


def test_a_result_that_others_need_is_not_lost() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.shuffle = grouped(), ChannelShuffle(3, "paper")

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.first(x)
            return y + self.shuffle(y)

    network, _ = fused(Twice())
    check_numbers(network)


def test_the_pass_leaves_its_input_as_it_was() -> None:
    network = small_network(grouped())
    before = network.module.script()
    for apply in passes_of("fused", A72, 1):
        apply(network.module)
    assert network.module.script() == before
    assert isinstance(network.module["main"], relax.Function)
