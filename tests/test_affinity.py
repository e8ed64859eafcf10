"""A measurement keeps to its cores, and gives the others back."""

from __future__ import annotations

import os
import threading

import pytest

from deploy_rpc.affinity import pinned_to_cores
from deploy_rpc.board_spec import BoardError


def test_a_thread_and_those_it_starts_keep_to_the_last_core() -> None:
    before = os.sched_getaffinity(0)
    seen = []
    with pinned_to_cores(1) as cores:
        thread = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
        thread.start()
        thread.join()
    assert seen == [set(cores)] == [{max(before)}]
    assert os.sched_getaffinity(0) == before


def test_the_cores_are_given_back_after_an_error() -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(ZeroDivisionError), pinned_to_cores(1):
        _ = 1 / 0
    assert os.sched_getaffinity(0) == before


def test_more_threads_than_cores_are_refused() -> None:
    with (
        pytest.raises(BoardError, match="9999 threads need as many cores"),
        pinned_to_cores(9999),
    ):
        pass
