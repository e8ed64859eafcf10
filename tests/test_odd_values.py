"""NaN, infinities, denormals and extremes give what PyTorch gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from compile.library import build_library
from compile.link import find_linker
from compile.lower import lower
from compile.network import Network
from compile.targets import host_target, parse_target
from compile.verify import TOLERANCES
from deploy_rpc.session import open_session
from tests.needs import needs_qemu
from tests.small_networks import small_network

SIDE = 32
LAST = SIDE - 1
PLACES = [(0, 0, 0, 0), (0, 1, 15, 15), (0, 2, LAST, LAST), (0, 0, 0, LAST)]
AVX2 = '{"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "x86-64-v3"}'


class EveryMaximum(nn.Module):
    """Stem with its max pool, ReLUs of every template, a max pool of the last layer; no mean of
    everything, so that one value that is lost shows."""

    def __init__(self, channels: int = 24, groups: int = 3) -> None:
        super().__init__()
        self.groups = groups
        norm = nn.BatchNorm2d
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 3, 2, 1, bias=False), norm(channels), nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        )  # fmt: skip
        self.grouped = nn.Sequential(
            nn.Conv2d(channels, channels, 1, groups=groups, bias=False), norm(channels), nn.ReLU()
        )
        self.depthwise = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 2, 1, groups=channels, bias=False), norm(channels),
            nn.Conv2d(channels, channels, 1, groups=groups, bias=False), norm(channels),
        )  # fmt: skip
        self.average, self.largest = nn.AvgPool2d(3, 2, 1), nn.MaxPool2d(3, 2, 1)
        self.last = nn.Conv2d(2 * channels, 5, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        n, c, h, w = x.shape
        y = self.grouped(x)
        y = y.reshape(n, self.groups, c // self.groups, h, w).transpose(1, 2).reshape(n, c, h, w)
        y = torch.relu(torch.cat([self.average(x), self.depthwise(y)], dim=1))
        return self.last(self.largest(y)).flatten(1)


@pytest.fixture(scope="module")
def networks() -> dict[int, Network]:
    """By channels: with AVX-512 rows of the stem share products where 12 are no whole vector."""
    return {channels: small_network(EveryMaximum(channels), SIDE) for channels in (12, 24)}


def _inputs() -> Iterator[tuple[str, np.ndarray]]:
    usual = np.random.default_rng(0).standard_normal((1, 3, SIDE, SIDE)).astype(np.float32)
    odd = {"NaN": np.nan, "-NaN": -np.nan, "inf": np.inf, "-inf": -np.inf, "largest": 3e38,
           "lowest": -3e38}  # fmt: skip
    for name, value in odd.items():
        for place in PLACES:
            x = usual.copy()
            x[place] = value
            yield f"{name} at {place}", x
        if not np.isfinite(value):  # else where sums overflow depends on the order of their terms
            yield f"{name} all over", np.full_like(usual, value)
    yield "denormals", usual * np.float32(1e-42)
    yield "nearly infinite", usual * np.float32(1e37)
    yield "zeros", usual * 0
    yield "negative zeros", np.full_like(usual, -0.0)
    x = usual.copy()
    x[:, :, ::7, ::5], x[:, :, 3::11] = np.nan, np.inf
    yield "NaN and infinities", x


def difference(y: np.ndarray, expected: np.ndarray) -> str:
    """In what the two differ; "" where they do not."""
    if not np.array_equal(np.isnan(y), np.isnan(expected)):
        return f"{np.isnan(y).sum()} values are NaN, PyTorch has {np.isnan(expected).sum()}"
    infinite = np.isinf(expected)
    if not np.array_equal(np.isinf(y), infinite) or (y[infinite] != expected[infinite]).any():
        return "infinities elsewhere than PyTorch's"
    y, expected = (values[np.isfinite(expected)].astype(np.float64) for values in (y, expected))
    if not y.size:
        return ""
    most = TOLERANCES["float32"] * np.ptp(expected)
    return "" if np.abs(y - expected).max() <= most else "other numbers than PyTorch's"


@pytest.mark.parametrize(
    ("target", "board", "threads", "level", "channels"),
    [
        ("host", "local", 2, "fused", 24),
        ("host", "local", 2, "fused", 12),
        (AVX2, "local", 1, "unfused", 24),
        pytest.param("arm_cpu", "emulated:cortex-a72", 2, "fused", 24, marks=needs_qemu),
    ],
)
def test_odd_inputs_give_what_pytorch_gives(
    networks: dict[int, Network],
    target: str,
    board: str,
    threads: int,
    level: str,
    channels: int,
    tmp_path: Path,
) -> None:
    network = networks[channels]
    core = host_target() if target == "host" else parse_target(target)
    lowered = lower(network, level, core, threads=threads)
    library = build_library(lowered, core, find_linker("auto", core), tmp_path / "small.so")
    with open_session(board) as session:
        module = session.load(library.path, output_shapes=network.output_shapes, threads=threads)
        with np.errstate(all="ignore"):
            differences = {
                name: difference(module.run(x), network.reference(x)) for name, x in _inputs()
            }
    assert {name: text for name, text in differences.items() if text} == {}
