"""A network step by step is the network: kernels, those in place, and operators without one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import tvm
from torch import nn

from compile.frontend.torch_import import import_torch
from compile.network import Network
from compile.passes import passes_of
from compile.quantise.expressions import IN_PLACE, RESHAPE, extents_of, operator_of
from compile.quantise.float_steps import FloatSteps
from compile.targets import parse_target
from tests.small_networks import small_network


class Swish(nn.Module):
    """Without kernels of templates."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(x) + 1


def swish() -> Network:
    return import_torch(
        Swish().eval(), name="swish", input_shape=(1, 3, 8, 8), preprocessing="imagenet",
        provenance={},
    )  # fmt: skip


@pytest.mark.parametrize("make", [small_network, swish])
def test_one_step_after_the_other_is_the_network(make: object) -> None:
    network, target = make(), parse_target("arm_cpu")
    module = network.module
    with target.tvm:
        for apply in passes_of("fused", target.core, 1):
            module = apply(module)
    bound = [(b.var, b.value) for block in module["main"].body.blocks for b in block.bindings]
    computed = [
        var
        for var, value in bound
        if isinstance(value, tvm.ir.Call) and operator_of(value) != RESHAPE
    ]
    steps = FloatSteps(module, computed)
    x = network.example_input()
    known = {module["main"].params[0]: x}
    for var, value in bound:
        if not steps.has(var):
            known[var] = known[value.args[0] if operator_of(value) == RESHAPE else value]
            continue
        operands = [
            known[each].reshape(extents_of(each)) if each in known else each.value
            for each in steps.operands(var)
        ]
        before = [each.tobytes() for each in operands if isinstance(each, np.ndarray)]
        known[var] = steps.run(var, operands)
        after = [each.tobytes() for each in operands if isinstance(each, np.ndarray)]
        assert before == after  # also of a kernel that works in place
    expected = network.reference(x)
    result = known[bound[-1][0]].reshape(expected.shape)
    np.testing.assert_allclose(result, expected, atol=1e-5 * np.ptp(expected))
    assert any(operator_of(value) == IN_PLACE for _, value in bound) == (make is small_network)


def test_nothing_is_compiled_for_no_steps() -> None:
    network = swish()
    steps = FloatSteps(network.module, ())
    assert not steps.has(network.module["main"].params[0])
