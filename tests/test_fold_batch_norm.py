"""Batch norms vanish into the convolutions before them, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from torch import nn
from tvm import relax

from compile.passes.fold_batch_norm import fold_batch_norm
from tests.small_networks import small_network


def operators(module: tvm.IRModule) -> list[str]:
    names: list[str] = []

    def visit(node: relax.Expr) -> None:
        if isinstance(node, tvm.ir.Call) and isinstance(node.op, tvm.ir.Op):
            names.append(node.op.name.removeprefix("relax."))

    relax.analysis.post_order_visit(module["main"], visit)
    return names


def run(module: tvm.IRModule, x: np.ndarray) -> np.ndarray:
    machine = relax.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())
    return machine["main"](tvm.runtime.tensor(x)).numpy()


@pytest.mark.parametrize("bias", [False, True], ids=["plain", "behind a bias add"])
def test_a_batch_norm_becomes_the_convolutions_bias(bias: bool) -> None:
    layers = nn.Sequential(nn.Conv2d(3, 6, 3, groups=3, bias=bias), nn.BatchNorm2d(6), nn.ReLU())
    network = small_network(layers, side=9)
    constants = relax.transform.FoldConstant()(network.module)  # reshapes of the bias
    folded = fold_batch_norm(constants)
    assert operators(folded) == ["nn.conv2d", "add", "nn.relu"]
    x = network.example_input()
    # float32 sums of 9 products, weights rounded once more than PyTorch's
    np.testing.assert_allclose(run(folded, x), network.reference(x), rtol=1e-5, atol=1e-5)


def test_a_batch_norm_behind_no_convolution_is_left_alone() -> None:
    network = small_network(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)), side=5)
    folded = fold_batch_norm(network.module)
    assert "nn.batch_norm" in operators(folded)
    tvm.ir.assert_structural_equal(folded, network.module)


def test_the_pass_is_pure() -> None:
    network = small_network()
    before = network.module.script()
    fold_batch_norm(network.module)
    assert network.module.script() == before
