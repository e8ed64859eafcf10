"""The order of the loops over tiles, and how many threads share them, change no result."""

from __future__ import annotations

import pytest

from compile.schedules.pointwise_tiles import PointwiseTile
from tests.pointwise_kernels import error_of, workload_of


@pytest.mark.parametrize("order", [(True, False), (False, False), (False, True)], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_loop_order_and_threads_change_nothing(order: tuple[bool, bool], threads: int) -> None:
    w = workload_of("two groups, odd rows")
    tile = PointwiseTile(4, 2, 4, k_unroll=2, pixels_outer=order[0], groups_inner=order[1])
    assert error_of(w, tile, threads) < 5e-5
