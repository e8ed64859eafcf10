"""The report says how many shuffles, batch norms and the like were there, and how many are left."""

from __future__ import annotations

import torch
from torch import nn

from compile.lower import lower
from compile.operators import COUNTED, count_operators
from model.shufflenet import ChannelShuffle
from tests.cores import A72, host_with_schedules_of
from tests.small_networks import ShuffledBlock, small_network


def test_each_kind_is_counted_in_the_imported_graph() -> None:
    counts = count_operators(small_network(ShuffledBlock()).module)
    assert tuple(counts) == COUNTED
    assert counts["batch norms"] == 3
    assert counts["shuffles"] == 1
    assert counts["concats"] == 1
    assert counts["ReLUs"] == 2


def test_a_transpose_that_is_no_shuffle_is_a_copy() -> None:
    class Transposed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            six = torch.cat([x, torch.relu(x)], dim=1)
            return ChannelShuffle(3, "paper")(six).permute(0, 2, 3, 1)

    counts = count_operators(small_network(Transposed(), 6).module)
    assert (counts["shuffles"], counts["copies"]) == (1, 1)


def test_unfused_keeps_what_fused_removes() -> None:
    """Over planes; with channels in the lanes a shuffle needs a convolution behind it, as every
    ShuffleNet has (tests/test_lower.py) and this block has not.
    """
    network, target = small_network(ShuffledBlock()), host_with_schedules_of(A72)
    unfused, fused = (lower(network, level, target).operators for level in ("unfused", "fused"))
    for kind in ("shuffles", "ReLUs", "concats"):
        given, left = unfused[kind]
        assert left == given > 0
        assert fused[kind] == (given, 0)


def test_stock_removes_nothing() -> None:
    operators = lower(small_network(), "stock", host_with_schedules_of(A72)).operators
    assert all(given == left for given, left in operators.values())
