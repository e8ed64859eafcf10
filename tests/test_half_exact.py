"""Where float16 rounds nothing it gives the integers' answer, bit for bit; beyond it, no number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bench.over_pictures import loaded_on_board
from compile.frontend.torch_import import import_torch
from compile.lower import lower
from compile.network import Network
from compile.targets import parse_target, with_dtype
from deploy_rpc.board_spec import parse_board
from model.outputs import the_only
from tests.needs import needs_qemu

TARGET = with_dtype(parse_target("neoverse-n1"), "float16")
SIDE = 28  # 14x14, then 7x7: whole vectors, half ones and short rows
LARGEST = float(np.finfo(np.float16).max)
BOARDS = [
    pytest.param("local", id="converting"),
    pytest.param(
        "emulated:neoverse-n1",
        marks=needs_qemu,
        id="emulated",
    ),
]


class Integers(nn.Module):
    """Every template between two strides, with small whole weights: no sum exceeds 2048."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3, 2, 1)
        self.wide = nn.Conv2d(12, 24, 1, groups=3)
        self.depthwise = nn.Conv2d(24, 24, 3, 1, 1, groups=24)
        self.narrow = nn.Conv2d(24, 12, 1, groups=3)
        self.halved = nn.Conv2d(12, 12, 3, 2, 1, groups=12)
        random = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randint(-1, 2, parameter.shape, generator=random))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        y = self.narrow(self.depthwise(torch.relu(self.wide(x))))
        return self.halved(torch.relu(x + y))


def network_of(module: nn.Module) -> Network:
    return import_torch(
        module.eval(), name="exact", input_shape=(1, 3, SIDE, SIDE), preprocessing="imagenet",
        provenance={},
    )  # fmt: skip


def answers(network: Network, board: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
    with loaded_on_board(lower(network, "fused", TARGET), parse_board(board)) as module:
        return [module.run(x) for x in inputs]


@pytest.mark.parametrize("board", BOARDS)
def test_whole_numbers_are_computed_exactly(board: str) -> None:
    network = network_of(Integers())
    random = np.random.default_rng(0)
    whole = random.integers(-1, 2, network.input_shape).astype(np.float32)
    lost = np.full(network.input_shape, np.nan, np.float32)
    exact, nan = answers(network, board, [whole, lost])
    expected = the_only(network.references(whole))
    assert 100 < np.abs(expected).max() < 2048
    np.testing.assert_array_equal(exact, expected)
    assert np.isnan(nan).all()


@pytest.mark.parametrize("board", BOARDS)
def test_beyond_the_range_is_infinity(board: str) -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1))
    with torch.no_grad():
        for factor, layer in enumerate(module[:2], 1):
            layer.weight.copy_(factor * torch.eye(8, layer.in_channels)[:, :, None, None])
            layer.bias.zero_()
    network = network_of(module)
    x = np.tile(np.array([3e4, 4e4, -4e4, 0], np.float32), SIDE // 4)
    x = np.broadcast_to(x, network.input_shape).copy()
    (y,) = answers(network, board, [x])
    np.testing.assert_array_equal(y[0, 0, 0, :4], [6e4, np.inf, -np.inf, 0])
    assert (y[0, :3] == y[0, 0, 0]).all()


@pytest.mark.parametrize("board", BOARDS)
def test_a_mean_of_the_largest_values_is_the_largest_value(board: str) -> None:
    """The sum of 49 of them would be infinite."""
    module = nn.Sequential(
        nn.Conv2d(3, 16, 1, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 8, bias=False)
    )
    with torch.no_grad():
        module[0].weight.zero_()
        module[0].bias.fill_(LARGEST)
        module[3].weight.copy_(torch.eye(8, 16))
    network = network_of(module)
    (y,) = answers(network, board, [np.zeros(network.input_shape, np.float32)])
    np.testing.assert_array_equal(y, np.full((1, 8), LARGEST, np.float32))
