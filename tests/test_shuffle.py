"""Shuffles move behind depthwise convolutions where channels lie in the lanes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from compile.passes.fold_batch_norm import fold_batch_norm
from compile.passes.rewriting import Choices
from compile.passes.shuffle import move_shuffles, shuffle_in_layout, shuffled_from
from model.shufflenet import ChannelShuffle
from tests.cores import AVX512
from tests.small_networks import small_network
from tests.test_fold_batch_norm import operators, run
from tests.test_fuse_pointwise import check_numbers, fused

IN_CHANNELS = Choices(AVX512, 1, lambda _: "channels")
IN_PLANES = Choices(AVX512, 1, lambda _: "planes")


def depthwise(stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(12, 12, 3, stride, 1, groups=12, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(12))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("convention", ["paper", "official"])
def test_a_shuffle_moves_behind_the_depthwise_convolution(convention: str, stride: int) -> None:
    layers = nn.Sequential(
        nn.Conv2d(3, 12, 1), ChannelShuffle(3, convention), depthwise(stride), nn.ReLU()
    )
    network = small_network(layers, 8)
    module = move_shuffles(IN_CHANNELS)(fold_batch_norm(network.module))
    order = [name for name in operators(module) if name in ("nn.conv2d", "permute_dims", "nn.relu")]
    assert order == ["nn.conv2d", "nn.conv2d", "nn.relu", "permute_dims"]
    x = network.example_input()
    np.testing.assert_allclose(run(module, x), network.reference(x), rtol=1e-5, atol=1e-5)


def test_in_planes_it_stays() -> None:
    network = small_network(
        nn.Sequential(nn.Conv2d(3, 12, 1), ChannelShuffle(3, "paper"), depthwise()), 8
    )
    folded = fold_batch_norm(network.module)
    assert operators(move_shuffles(IN_PLANES)(folded)) == operators(folded)


@pytest.mark.parametrize(
    "behind",
    [
        nn.Conv2d(12, 12, 3, padding=1),
        nn.Conv2d(12, 12, 1, groups=3),
        nn.Conv2d(12, 24, 3, groups=12),
    ],
    ids=["dense", "grouped", "two outputs a channel"],
)
def test_it_stays_before_any_other_convolution(behind: nn.Module) -> None:
    network = small_network(
        nn.Sequential(nn.Conv2d(3, 12, 1), ChannelShuffle(3, "paper"), behind), 8
    )
    folded = fold_batch_norm(network.module)
    assert operators(move_shuffles(IN_CHANNELS)(folded)) == operators(folded)


@pytest.mark.parametrize("convention", ["paper", "official"])
@pytest.mark.parametrize("choices", [IN_CHANNELS, IN_PLANES], ids=["channels", "planes"])
def test_unfused_it_stays_a_copy_with_the_same_values(choices: Choices, convention: str) -> None:
    """Of 12 channels: with as many groups as channels a group it would be its own inverse."""
    network = small_network(nn.Sequential(nn.Conv2d(3, 12, 1), ChannelShuffle(3, convention)), 8)
    module = shuffle_in_layout(choices)(network.module)
    x = network.example_input()
    np.testing.assert_allclose(run(module, x), network.reference(x), rtol=1e-5, atol=1e-5)


def test_a_transpose_of_other_channels_than_came_is_left_alone() -> None:
    """3 rows of 4 channels at 4x4, but of a tensor of 3 channels at 8x8."""

    class Spread(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(1, 3, 4, 4, 4).transpose(1, 2).reshape(1, 12, 4, 4)

    network, module = fused(nn.Sequential(nn.Conv2d(3, 3, 1), Spread(), nn.Conv2d(12, 6, 1)), 8)
    assert operators(module).count("permute_dims") == 1
    check_numbers(network)


@pytest.mark.parametrize(("channels", "rows"), [(12, 3), (12, 4), (240, 8)])
def test_the_permutation_is_numpys_reshape_and_transpose(channels: int, rows: int) -> None:
    values = np.random.default_rng(0).permutation(channels)
    shuffled = values.reshape(rows, -1).T.reshape(-1)
    assert np.array_equal(values[shuffled_from(channels, rows)], shuffled)
