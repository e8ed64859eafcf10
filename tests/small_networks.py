"""Networks of a few layers that tests import, lower and build."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch
from torch import nn

from compile.frontend.torch_import import ONE_OUTPUT, import_torch
from compile.network import Network
from compile.quantise.inputs import Calibration

MAPS = {"stride2": 2, "stride4": 4}


class ShuffledBlock(nn.Module):
    """Stem, grouped convolution, add, shuffle, strided depthwise, pool, concat, head."""

    def __init__(self, groups: int = 3, channels: int = 12) -> None:
        super().__init__()
        self.groups = groups
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 3, 2, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.grouped = nn.Sequential(
            nn.Conv2d(channels, channels, 1, groups=groups, bias=False), nn.BatchNorm2d(channels)
        )
        self.depthwise = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 2, 1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.pool = nn.AvgPool2d(3, 2, 1)
        self.head = nn.Linear(2 * channels, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.maps(x)[1].mean((2, 3)))

    def maps(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of strides 2 and 4."""
        x = self.stem(x)
        n, c, h, w = x.shape
        y = torch.relu(self.grouped(x) + x)
        y = y.reshape(n, self.groups, c // self.groups, h, w).transpose(1, 2).reshape(n, c, h, w)
        return x, torch.cat([self.pool(x), self.depthwise(y)], dim=1)


class ShuffledMaps(ShuffledBlock):
    """The same without its head: two feature maps, of `MAPS`."""

    def __init__(self) -> None:
        super().__init__()
        del self.head

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.maps(x)


def with_drawn_statistics(module: nn.Module, seed: int = 0) -> nn.Module:
    """`module` in eval mode, its batch norms far from the identity."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.uniform_(0.5, 2, generator=random)
                layer.bias.normal_(generator=random)
                layer.running_mean.normal_(generator=random)
                layer.running_var.uniform_(0.5, 2, generator=random)
    return module.eval()


def small_network(
    module: nn.Module | None = None,
    side: int = 21,
    outputs: Mapping[str, int | None] = ONE_OUTPUT,
) -> Network:
    """A `Network` of `module`, `ShuffledBlock` by default, for an input of `side` x `side`."""
    if module is None and outputs is ONE_OUTPUT:
        return _shuffled_block(side)
    torch.manual_seed(0)
    return import_torch(
        with_drawn_statistics(ShuffledBlock() if module is None else module),
        name="small",
        input_shape=(1, 3, side, side),
        preprocessing="imagenet",
        provenance={"weights": "drawn in the test"},
        outputs=outputs,
    )


@functools.cache
def small_maps() -> Network:
    """The `Network` of `ShuffledMaps`, the same every time."""
    with torch.random.fork_rng():  # the first test to ask draws what the others draw
        torch.manual_seed(0)
        return small_network(ShuffledMaps(), outputs=MAPS)


@functools.cache
def _shuffled_block(side: int) -> Network:
    """Imported once for all tests: nothing that takes a network changes it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return small_network(ShuffledBlock(), side)


def calibrated(network: Network, count: int = 4) -> Calibration:
    """By so many of its example inputs."""
    inputs = tuple(network.example_input(seed) for seed in range(count))
    return Calibration(inputs, "a few", 1.1, 0.2, rehearsed=True, bounds=(-5.0, 5.0))
