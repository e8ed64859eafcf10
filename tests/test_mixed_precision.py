"""A network of int8 with layers of float32: where they meet, and how it is verified."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bench.over_pictures import loaded_on_board
from compile.lower import Lowered, lower
from compile.passes.into_int8 import CONVERSIONS
from compile.quantise.reference import checked_by_integers
from compile.targets import parse_target, with_dtype
from compile.verify import VerificationError
from deploy_rpc.board_spec import parse_board
from tests.needs import needs_qemu
from tests.small_networks import calibrated, small_network

KEPT = (
    "stem1",
    "depthwise1",
)  # the shortcut of an int8 layer comes of the one, the other is joined
BOARDS = {"host": "local", "neoverse-n1": "emulated:neoverse-n1"}


def lowered_for(target: str, kept: tuple[str, ...] = KEPT) -> Lowered:
    network = small_network()
    of_int8 = with_dtype(parse_target(target), "int8")
    return lower(network, "fused", of_int8, calibration=calibrated(network, 3), kept=kept)


@pytest.fixture(scope="module")
def on_host() -> Lowered:
    return lowered_for("host")


@pytest.mark.parametrize(
    "target",
    [
        "host",
        pytest.param(
            "neoverse-n1",
            marks=needs_qemu,
        ),
    ],
)
def test_a_library_gives_the_bits_of_integers_and_of_float32_here(
    on_host: Lowered, target: str
) -> None:
    lowered = on_host if target == "host" else lowered_for(target)
    network = lowered.network
    assert network.reference_name == "exact integers and float32 on this machine"
    with loaded_on_board(lowered, parse_board(BOARDS[target])) as module:
        for seed in (5, 6):
            x = network.example_input(seed)
            np.testing.assert_array_equal(module.run(x), network.reference(x))


def test_every_seam_is_a_kernel_and_layers_of_float32_are_those_of_float32(
    on_host: Lowered,
) -> None:
    names = {kernel.name: kernel for kernel in on_host.kernels}
    conversions = [k for name, k in names.items() if name.startswith(CONVERSIONS)]
    assert sum(kernel.calls for kernel in conversions) == 3
    floats = [k.name for k in on_host.kernels if set(k.dtypes) == {"float32"}]
    assert len(floats) == len(KEPT)
    assert on_host.network.provenance["kept_float32"] == list(KEPT)
    assert on_host.macs == lower(small_network(), "fused", parse_target("host")).macs


def test_a_shuffle_behind_a_shortcut_leaves_each_channel_its_scale() -> None:
    """All but that layer is float32: on an input of the calibration rounding alone is off."""
    network = small_network()
    x = network.example_input(0)
    result = lowered_for("host", ("stem1", "avgpool1..dense1")).network.reference(x)
    error = np.abs(result - network.reference(x)).max() / np.ptp(result)
    assert 1e-5 < error < 2e-3


def test_a_reference_far_from_the_networks_own_is_an_error(on_host: Lowered) -> None:
    """Else wrong kernels of float32, which it runs itself, would be verified against themselves."""
    network = small_network()
    other = dataclasses.replace(network, references=lambda x: [-y for y in network.references(x)])
    checked = checked_by_integers(other, on_host.module, {})
    with pytest.raises(VerificationError, match=r"the reference in int8 .* does not match"):
        checked.references(network.example_input())
