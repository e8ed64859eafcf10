"""A network in int8 between a float32 input and a float32 output, the same bits on every core."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
import torch
import tvm
from torch import nn

from bench.over_pictures import loaded_on_board
from compile.frontend.torch_import import import_torch
from compile.lower import Lowered, lower, redecided
from compile.network import Network
from compile.passes.int8_plan import QuantisationError
from compile.passes.take_decisions import Decision
from compile.schedules.spaces import space_of
from compile.schedules.templates import Workload
from compile.targets import CompileTarget, parse_target, with_dtype
from deploy_rpc.board_spec import parse_board
from tests.needs import needs_qemu
from tests.small_networks import ShuffledBlock, calibrated, small_maps, small_network

BOARDS = {
    "host": "local",
    "neoverse-n1": "emulated:neoverse-n1",
    "arm_cpu": "emulated",
}


def int8(target: str) -> CompileTarget:
    return with_dtype(parse_target(target), "int8")


@pytest.fixture(scope="module")
def network() -> Network:
    """Groups of five channels, no multiple of four, and pictures of 13x13 and 7x7."""
    return small_network(ShuffledBlock(groups=2, channels=10), side=26)


def lowered_for(network: Network, target: str) -> Lowered:
    return lower(network, "fused", int8(target), calibration=calibrated(network))


def odd_inputs(network: Network) -> list[np.ndarray]:
    x = network.example_input(9)
    broken = x.copy()
    broken.flat[::7] = np.nan
    return [x, x * 1e6, -x * np.inf, broken, np.zeros_like(x)]


@pytest.mark.parametrize(
    "target",
    [
        "host",
        pytest.param("neoverse-n1", marks=needs_qemu),
        pytest.param("arm_cpu", marks=needs_qemu),
    ],
)
def test_a_library_gives_the_integers_of_the_reference(network: Network, target: str) -> None:
    lowered = lowered_for(network, target)
    assert lowered.network.reference_name == "exact integers"
    with loaded_on_board(lowered, parse_board(BOARDS[target])) as module:
        for x in odd_inputs(network):
            (expected,) = lowered.network.references(x)
            np.testing.assert_array_equal(module.run(x), expected)


@pytest.fixture(scope="module")
def fused() -> Lowered:
    network = small_network()
    return lower(network, "fused", int8("neoverse-n1"), calibration=calibrated(network))


def test_how_many_pictures_are_rehearsed_at_once_changes_no_bit(
    fused: Lowered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compile.quantise.rehearsal.PIXELS_AT_ONCE", 1)
    network = small_network()
    again = lower(network, "fused", int8("neoverse-n1"), calibration=calibrated(network))
    tvm.ir.assert_structural_equal(again.module, fused.module)


def test_every_kernel_is_of_int8(fused: Lowered) -> None:
    first, *others, last = (kernel.dtypes for kernel in fused.kernels)
    assert (first[0], first[-1]) == ("float32", "int8")
    assert (last[0], last[-1]) == ("int8", "float32")
    assert all(set(each) <= {"int8", "int32"} for each in others)
    assert {kernel.source for kernel in fused.kernels} == {"default"}


@needs_qemu
def test_any_decisions_give_the_same_bits(fused: Lowered) -> None:
    chance, x = random.Random(1), fused.network.example_input(2)

    def decide(workload: Workload) -> Decision:
        return Decision(chance.choice(space_of(workload, fused.target.core)), "tuned")

    tuned = redecided(fused, decide)
    assert {kernel.source for kernel in tuned.kernels} == {"tuned"}
    with loaded_on_board(tuned, parse_board("emulated:neoverse-n1")) as module:
        np.testing.assert_array_equal(module.run(x), fused.network.reference(x))


def test_fusion_removes_as_much_as_in_float32(fused: Lowered) -> None:
    single = lower(small_network(), "fused", parse_target("neoverse-n1"))
    assert fused.operators == single.operators
    assert fused.macs == single.macs


def test_shuffles_shortcuts_and_concats_are_in_the_kernels(fused: Lowered) -> None:
    names = [kernel.name for kernel in fused.kernels]
    assert sum("joined" in name for name in names) == 2
    assert not any(word in name for name in names for word in ("transpose", "concat", "add"))


def test_the_answer_is_near_that_of_float32(fused: Lowered) -> None:
    network = small_network()
    x = network.example_input(11)
    expected = network.references(x)[0]
    error = np.abs(fused.network.references(x)[0] - expected).max() / np.ptp(expected)
    assert 0 < error < 0.06


def test_feature_maps_come_out_as_float32() -> None:
    network = small_maps()
    lowered = lower(network, "fused", int8("host"), calibration=calibrated(network))
    x = network.example_input(3)
    exact = lowered.network.references(x)
    with loaded_on_board(lowered, parse_board("local")) as module:
        pairs = zip(module.run_all(x), exact, network.references(x), strict=True)
        for result, wanted, expected in pairs:
            np.testing.assert_array_equal(result, wanted)
            error = np.abs(result - expected)
            assert np.median(error) < 0.01 * np.ptp(expected)
            assert error.max() < 0.2 * np.ptp(expected)  # beyond the ranges seen it is cut off


class WithOthers(nn.Module):
    """A convolution of 5x5 and a swish between layers that int8 has kernels for."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.wide = nn.Conv2d(8, 8, 5, 1, 2)
        self.pointwise = nn.Conv2d(8, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.wide(torch.relu(self.stem(x))))
        return self.pointwise(y * torch.sigmoid(y))


def network_of(module: nn.Module, channels: int = 3) -> Network:
    return import_torch(
        module.eval(),
        name="small",
        input_shape=(1, channels, 16, 16),
        preprocessing="imagenet",
        provenance={},
    )


def test_what_has_no_kernel_of_int8_works_on_converted_values() -> None:
    torch.manual_seed(0)
    network = network_of(WithOthers())
    lowered = lower(network, "fused", int8("host"), calibration=calibrated(network))
    x = network.example_input(5)
    (expected,) = network.references(x)
    with loaded_on_board(lowered, parse_board("local")) as module:
        result = module.run(x)
    np.testing.assert_array_equal(result, lowered.network.reference(x))
    assert np.abs(result - expected).max() < 0.06 * np.ptp(expected)


def test_a_grey_picture_has_one_channel() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 1))
    network = network_of(module, channels=1)
    lowered = lower(network, "fused", int8("host"), calibration=calibrated(network))
    x = network.example_input(5)
    (expected,) = network.references(x)
    with loaded_on_board(lowered, parse_board("local")) as library:
        error = library.run(x) - expected
    assert abs(error.mean()) < 0.01 * np.ptp(expected)
    assert np.abs(error).max() < 0.06 * np.ptp(expected)


def test_weights_that_grow_from_layer_to_layer_are_refused() -> None:
    """A shortcut whose branch multiplies it by 1000: no scale serves both."""

    class Growing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.branch = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 1)
            with torch.no_grad():
                self.branch.weight.copy_(torch.eye(8)[:, :, None, None] * 1000)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.stem(x))
            return torch.relu(self.branch(x) + x)

    torch.manual_seed(0)
    network = network_of(Growing())
    none = dataclasses.replace(calibrated(network), headroom=0.0)  # nothing was seen to grow
    with pytest.raises(QuantisationError, match=r"grow from layer to layer; build .* float32"):
        lower(network, "fused", int8("host"), calibration=none)
