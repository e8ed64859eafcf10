"""Local response normalisation becomes one kernel, whatever its window; other powers stay."""

from __future__ import annotations

import pytest
from torch import nn

from deploy_rpc.cores import Core
from model.alexnet import CrossChannelNorm
from tests.cores import BOTH
from tests.test_fold_batch_norm import operators
from tests.test_fuse_pointwise import check_numbers, fused


def normalised(neighbours: int, beta: float = 0.75) -> nn.Module:
    norm = CrossChannelNorm(neighbours, alpha=0.1, beta=beta)
    return nn.Sequential(nn.Conv2d(3, 32, 3), norm)


@pytest.mark.parametrize("core", BOTH, ids=lambda core: core.name)
@pytest.mark.parametrize("neighbours", [3, 4, 5])
def test_a_normalisation_becomes_one_kernel(neighbours: int, core: Core) -> None:
    network, module = fused(normalised(neighbours), side=9, core=core)
    assert not set(operators(module)) - {"call_tir", "reshape", "permute_dims"}
    assert operators(module).count("call_tir") == 2
    check_numbers(network)


def test_another_exponent_is_left_alone() -> None:
    network, module = fused(normalised(5, beta=0.5), side=9)
    assert "power" in operators(module)
    check_numbers(network)
