"""What runs on this machine is built for it, and nothing is computed twice."""

from __future__ import annotations

import numpy as np

from bench.over_pictures import remembered, target_on
from compile.targets import parse_target
from deploy_rpc.board_spec import parse_board


def test_a_library_is_for_the_board_it_runs_on() -> None:
    target = parse_target("neoverse-n1")
    assert target_on(target, parse_board("local")).is_host
    assert target_on(target, parse_board("emulated:neoverse-n1")) == target


def test_what_is_remembered_is_computed_once() -> None:
    seen = []
    run = remembered(lambda x: seen.append(x) or x + 1)
    x = np.zeros((1, 3), np.float32)
    np.testing.assert_array_equal(run(x), x + 1)
    np.testing.assert_array_equal(run(x.copy()), x + 1)
    np.testing.assert_array_equal(run(x + 1), x + 2)
    assert len(seen) == 2
