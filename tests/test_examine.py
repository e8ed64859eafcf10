"""Times of slow networks take no longer than a minute or two."""

from __future__ import annotations

import pytest

from compile.examine import TIMING_S, rounds_of
from deploy_rpc.timing import ROUNDS


@pytest.mark.parametrize(("round_s", "rounds"), [(1e-4, ROUNDS), (10, 3), (20, 1), (1000, 1)])
def test_slow_networks_are_timed_in_fewer_rounds(round_s: float, rounds: int) -> None:
    assert rounds_of(round_s) == rounds
    assert rounds == 1 or 2 * round_s * rounds <= TIMING_S
