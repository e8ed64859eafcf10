"""A network's price is the sum of its kernels'."""

from __future__ import annotations

import pytest

from compile.frontend.torch_import import import_torch
from compile.lower import lower
from compile.price_network import price_network
from compile.targets import parse_target
from deploy_rpc.cores import find_core
from model.zoo import create_model
from tests.needs import needs_cycle_model
from tests.small_networks import small_network

A72 = find_core("cortex-a72")


@needs_cycle_model
@pytest.mark.parametrize("level", ["unfused", "fused"])
def test_every_kernel_is_priced_and_counted_as_often_as_it_is_called(level: str) -> None:
    lowered = lower(small_network(), level, parse_target("arm_cpu"))
    price = price_network(lowered, A72)
    assert [kernel for kernel, _ in price.kernels] == list(lowered.kernels)
    assert price.cycles == sum(kernel.calls * report.cycles for kernel, report in price.kernels)
    assert str(price).endswith("M modelled cycles, cortex-a72, one thread")


@needs_cycle_model
def test_a_fused_network_costs_less_than_an_unfused_one() -> None:
    prices = [
        price_network(lower(small_network(), level, parse_target("arm_cpu")), A72).cycles
        for level in ("unfused", "fused")
    ]
    assert prices[1] < prices[0]


@needs_cycle_model
@pytest.mark.parametrize(("name", "limit"), [("cortex-a72", 38.5), ("neoverse-n1", 20.0)])
def test_shufflenet_stays_within_its_modelled_cycles(name: str, limit: float) -> None:
    """M cycles of 1x g3 at 224, untuned. The model is deterministic, so this is no benchmark."""
    network = import_torch(
        create_model("shufflenet-1.0x-g3"),
        name="net",
        input_shape=(1, 3, 224, 224),
        preprocessing="imagenet",
        provenance={},
    )
    price = price_network(lower(network, "fused", parse_target(name)), find_core(name))
    assert price.cycles <= 1e6 * limit


@needs_cycle_model
def test_two_threads_cost_less_than_one_and_more_than_half() -> None:
    one, two = (
        price_network(lower(small_network(), "fused", parse_target("arm_cpu"), threads=n), A72)
        for n in (1, 2)
    )
    assert 0.5 * one.cycles < two.cycles < 0.8 * one.cycles
    assert two.whole.cycles == two.cycles
    assert two.whole.instructions == sum(
        kernel.calls * report.instructions for kernel, report in two.kernels
    )
    assert str(two).endswith(
        "cortex-a72, 2 threads (longest share of each kernel, barriers not counted)"
    )
