"""Tensors that are needed at the same time never share a byte, and little is wasted."""

from __future__ import annotations

import random

import pytest

from compile.aot.workspace import ALIGNMENT, Lifetime, plan_workspace
from compile.lower import lower
from compile.source import random_network
from deploy_rpc.cores import Core
from tests.cores import BOTH, host_with_schedules_of


def check(lifetimes: list[Lifetime]) -> None:
    """Asserts that what is alive at the same time lies apart, within the block."""
    plan = plan_workspace(lifetimes)
    placed = list(zip(plan.offsets, lifetimes, strict=True))
    for index, (offset, mine) in enumerate(placed):
        assert offset % ALIGNMENT == 0
        assert offset + mine.bytes <= plan.bytes
        for other_offset, other in placed[:index]:
            if other.first <= mine.last and mine.first <= other.last:
                apart = offset + mine.bytes <= other_offset
                assert apart or other_offset + other.bytes <= offset


def test_tensors_of_different_times_share_memory() -> None:
    assert plan_workspace([Lifetime(64, 0, 1), Lifetime(64, 2, 3)]).offsets == (0, 0)


def test_tensors_of_the_same_time_lie_apart() -> None:
    plan = plan_workspace([Lifetime(10, 0, 1), Lifetime(10, 1, 3)])
    assert sorted(plan.offsets) == [0, 64]
    assert (plan.bytes, plan.lower_bound) == (128, 128)


def test_nothing_needs_no_memory() -> None:
    assert plan_workspace([]).bytes == 0


@pytest.mark.parametrize("seed", range(20))
def test_random_lifetimes_never_overlap(seed: int) -> None:
    draw = random.Random(seed)
    spans = [sorted((draw.randrange(30), draw.randrange(30))) for _ in range(40)]
    check([Lifetime(draw.randrange(1, 5000), first, last) for first, last in spans])


@pytest.mark.parametrize("level", ["unfused", "fused"])
@pytest.mark.parametrize("core", BOTH, ids=lambda core: core.name)
def test_a_network_s_plan_is_within_a_tenth_of_the_lower_bound(level: str, core: Core) -> None:
    """At its own size; test_lower.py asserts it of every network."""
    network = random_network("shufflenet-0.5x-g3")
    workspace = lower(network, level, host_with_schedules_of(core)).workspace
    assert workspace.lower_bound <= workspace.bytes <= 1.1 * workspace.lower_bound
