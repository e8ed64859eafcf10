"""Halves of a concat and sums with a shortcut are written where they belong, if none else looks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import pytest
import torch
import tvm
from torch import nn

from compile.frontend.torch_import import ONE_OUTPUT
from compile.lower import lower
from compile.network import Network
from compile.passes.layouts import choose_layouts
from compile.schedules.layouts import Layout
from deploy_rpc.cores import Core
from tests.cores import A72, AVX512, BOTH, host_with_schedules_of
from tests.small_networks import small_network
from tests.test_fold_batch_norm import operators
from tests.test_fuse_pointwise import check_numbers, fused


class Joined(nn.Module):
    """Average pool and convolution side by side, as at the head of each stage."""

    def __init__(self, again: bool = False, axis: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 1)
        self.pool = nn.AvgPool2d(3, 1, 1)
        self.second = nn.Conv2d(16, 32 if axis == 1 else 16, 1)
        self.again, self.axis = again, axis

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        half = self.pool(x)
        y = torch.cat([half, torch.relu(self.second(x))], dim=self.axis)
        return self.pool(y) + torch.cat([half, half, half], 1) if self.again else self.pool(y)


class Shortcut(nn.Module):
    """relu(x + f(x)); `later` uses x once more."""

    def __init__(self, later: bool = False, channels: int = 16) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, channels, 1)
        self.branch = nn.Conv2d(channels, channels, 1)
        self.pool = nn.MaxPool2d(1)
        self.later = later

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.first(x))
        y = torch.relu(x + self.branch(self.pool(x)))
        return self.pool(y) + x if self.later else self.pool(y)


PLACES: dict[Layout, tuple[Core, int, int]] = {  # core, side, and channels that fill its tiles
    "planes": (A72, 8, 16),
    "channels": (AVX512, 4, 32),
}


def fused_in(
    place: Layout,
    network_of: Callable[..., nn.Module],
    outputs: Mapping[str, int | None] = ONE_OUTPUT,
) -> tuple[Network, tvm.IRModule]:
    """As `fused`, where the activations of `network_of` lie as `place` says."""
    core, side, channels = PLACES[place]
    network, module = fused(network_of(channels=channels), side, core, outputs)
    assert choose_layouts(network.module, core)((side, side)) == place
    return network, module


def before_a_convolution_of_its_own(channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, channels, 1), OfInput(channels), nn.Conv2d(channels, channels, 1)
    )


@pytest.mark.parametrize("core", BOTH, ids=lambda core: core.name)
def test_both_halves_of_a_concat_are_written_in_place(core: Core) -> None:
    network, module = fused(Joined(), side=8, core=core)
    assert "concat" not in operators(module)
    assert operators(module).count("call_tir_inplace") == 1
    check_numbers(network)


def test_a_half_that_is_used_again_keeps_the_concat() -> None:
    network, module = fused(Joined(again=True), side=8)
    assert "concat" in operators(module)
    check_numbers(network)


def test_a_concat_of_rows_is_left_alone() -> None:
    network, module = fused(Joined(axis=2), side=8)
    assert "concat" in operators(module)
    check_numbers(network)


@pytest.mark.parametrize("place", PLACES)
def test_a_shortcut_is_overwritten_at_its_last_use(place: Layout) -> None:
    network, module = fused_in(place, Shortcut)
    assert operators(module).count("call_tir_inplace") == 1
    check_numbers(network)


@pytest.mark.parametrize("place", PLACES)
def test_a_shortcut_that_is_used_later_is_kept(place: Layout) -> None:
    network, module = fused_in(place, functools.partial(Shortcut, later=True))
    assert "call_tir_inplace" not in operators(module)
    check_numbers(network)


class OfInput(nn.Module):
    """relu(x + f(x)) of what may be the network's input."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.branch = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.branch(x))


def test_the_networks_input_is_never_overwritten() -> None:
    network, module = fused(OfInput(), side=8)
    assert "call_tir_inplace" not in operators(module)
    check_numbers(network)


def test_a_shortcut_that_its_own_kernel_reads_as_its_input_is_kept() -> None:
    """Its last use is that kernel, but one tile would be written before the next has read it."""
    network, module = fused_in("channels", before_a_convolution_of_its_own)
    assert "call_tir_inplace" not in operators(module)
    check_numbers(network)


def test_unfused_writes_nothing_in_place() -> None:
    lowered = lower(small_network(), "unfused", host_with_schedules_of(BOTH[0]))
    assert not [kernel for kernel in lowered.kernels if "in_place" in kernel.name]
    assert lowered.operators["concats"][1] == 1


class Kept(nn.Module):
    """A shortcut, and a half of a concat, that are outputs, too."""

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, channels, 1)
        self.branch, self.second, self.third = (nn.Conv2d(channels, channels, 1) for _ in range(3))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = self.first(x)
        shortcut = torch.relu(x + self.branch(x))  # over x
        y = torch.relu(shortcut + self.second(shortcut * 2))  # not over the shortcut
        half = self.third(y * 2)
        return shortcut, torch.cat([half, torch.relu(self.branch(y))], 1), half


@pytest.mark.parametrize(("place", "overwritten"), [("planes", 0), ("channels", 1)])
def test_what_the_network_returns_is_never_overwritten(place: Layout, overwritten: int) -> None:
    """Of channels it returns copies, as planes."""
    network, module = fused_in(place, Kept, dict.fromkeys(("shortcut", "joined", "half")))
    assert operators(module).count("concat") == 1
    assert operators(module).count("call_tir_inplace") == overwritten
    check_numbers(network)
