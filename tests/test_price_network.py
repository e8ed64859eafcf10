"""A network's price is the sum of its kernels'."""

from __future__ import annotations

import pytest
from marked_program import needs_cycle_model
from small_networks import small_network

from compile.lower import lower
from compile.price_kernel import KernelPriceError
from compile.price_network import price_network
from compile.targets import parse_target
from deploy_rpc.cores import find_core

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


def test_threads_are_not_modelled() -> None:
    lowered = lower(small_network(), "fused", parse_target("arm_cpu"), threads=2)
    with pytest.raises(KernelPriceError, match=r"lowered for 2 threads; only one is modelled"):
        price_network(lowered, A72)
