"""As many threads as a board has cores, and no guess where nobody knows."""

from __future__ import annotations

import os

import pytest

from bench.boards import cores_of
from compile.targets import parse_target
from deploy_rpc.board_spec import BoardError, parse_board

AFAR = parse_board("rpc://board:9090")


def test_a_board_elsewhere_has_the_cores_of_its_row_and_not_of_this_machine() -> None:
    assert cores_of(AFAR, parse_target("rk3399")) == 2
    assert cores_of(parse_board("modelled"), parse_target("rpi5")) == 4


def test_this_machine_has_those_that_the_process_may_use() -> None:
    assert cores_of(parse_board("local"), parse_target("host")) == len(os.sched_getaffinity(0))


def test_a_board_of_unknown_cores_is_refused() -> None:
    with pytest.raises(
        BoardError, match=r"rpc://board:9090 .* target cortex-a72: name --threads N"
    ):
        cores_of(AFAR, parse_target("cortex-a72"))
