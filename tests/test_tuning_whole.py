"""The whole network before and after tuning, from the libraries themselves."""

from __future__ import annotations

from compile.lower import lower
from compile.passes.take_decisions import Decision
from compile.schedules.spaces import space_of
from compile.schedules.templates import Workload
from compile.targets import host_target, parse_target
from compile.tuning.whole import before_and_after
from deploy_rpc.board_spec import parse_board
from tests.cores import A72
from tests.needs import needs_modelled_board
from tests.small_networks import small_network


def last_tile(workload: Workload) -> Decision:
    return Decision(space_of(workload, A72)[-1], "tuned")


def test_both_are_timed_in_turns_on_a_real_board() -> None:
    fused = lower(small_network(), "fused", host_target())
    latencies = before_and_after(fused, lambda workload: None, parse_board("local"))
    assert [(each.level, each.kind) for each in latencies] == [
        ("fused", "measured"),
        ("tuned", "measured"),
    ]
    assert len(latencies[0].samples) == len(latencies[1].samples) > 1


@needs_modelled_board
def test_a_modelled_board_prices_both() -> None:
    fused = lower(small_network(), "fused", parse_target("arm_cpu"))
    same = before_and_after(fused, lambda workload: None, parse_board("modelled"))
    assert same[0].median == same[1].median
    other = before_and_after(fused, last_tile, parse_board("modelled"))
    assert other[0].median == same[0].median
    assert other[1].median != same[0].median
