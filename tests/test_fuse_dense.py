"""Fully connected layers take bias, ReLU and the pool before them along; others stay."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compile.lower import lower
from deploy_rpc.cores import Core
from tests.cores import A72, BOTH, host_with_schedules_of
from tests.small_networks import small_network
from tests.test_fold_batch_norm import operators
from tests.test_fuse_pointwise import check_numbers, fused


class Head(nn.Module):
    """Convolution, global mean over `dims`, classifier, and a ReLU where asked for."""

    def __init__(self, dims: tuple[int, ...] = (2, 3), relu: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 1)
        self.fc = nn.Linear(16 if dims == (2, 3) else 8, 10)
        self.dims, self.relu = dims, relu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x).mean(self.dims)
        y = self.fc(y if self.dims == (2, 3) else y.reshape(1, -1)[:, :8])
        return torch.relu(y) if self.relu else y


class Classifier(nn.Module):
    def __init__(self, relu: bool = True, bias: bool = True) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3 * 25, 20, bias=bias), nn.Linear(20, 10)
        self.relu = relu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x.flatten(1))
        return self.second(torch.relu(y) if self.relu else y)


@pytest.mark.parametrize("core", BOTH, ids=lambda core: core.name)
@pytest.mark.parametrize("relu", [True, False])
def test_the_global_pool_is_in_the_classifiers_kernel(relu: bool, core: Core) -> None:
    network, module = fused(Head(relu=relu), side=8, core=core)
    assert set(operators(module)) == {"call_tir", "reshape"}
    assert operators(module).count("call_tir") == 2
    check_numbers(network)


@pytest.mark.parametrize("relu", [True, False])
def test_bias_and_relu_are_in_the_kernel(relu: bool) -> None:
    network, module = fused(Classifier(relu), side=5)
    assert set(operators(module)) == {"call_tir", "reshape"}
    check_numbers(network)


def test_a_layer_without_bias_becomes_a_kernel_too() -> None:
    network, module = fused(Classifier(bias=False), side=5)
    assert "matmul" not in operators(module)
    check_numbers(network)


def test_a_mean_over_channels_is_left_alone() -> None:
    network, module = fused(Head(dims=(1, 2)), side=8)
    assert "mean" in operators(module)
    check_numbers(network)


def test_unfused_the_pool_and_the_relu_are_kernels_of_their_own() -> None:
    lowered = lower(small_network(Head(relu=True), 8), "unfused", host_with_schedules_of(A72))
    names = {kernel.name for kernel in lowered.kernels}
    assert {"mean", "relu", "dense"} <= names
