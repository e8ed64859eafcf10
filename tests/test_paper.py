"""The paper's times give the factors that the paper states."""

from __future__ import annotations

import pytest

from bench.paper import INPUTS, TABLE8_MS, paper_ms, paper_speedup

STATED = {  # "AlexNet / it"; its last line is of MobileNet
    "shufflenet-0.5x-g3": (12.1, 13.2, 14.0),
    "shufflenet-1.0x-g3": (4.9, 5.2, 5.3),
    "shufflenet-2.0x-g3": (1.7, 1.9, 2.0),
    "alexnet": (1, 1, 1),
    "mobilenet-1.0": (1.7, 1.9, 1.9),
}


def test_the_factors_follow_from_the_times() -> None:
    assert STATED.keys() == TABLE8_MS.keys()
    for model, factors in STATED.items():
        found = [paper_speedup(model, size) for size in INPUTS]
        assert found == pytest.approx(factors, abs=0.051)


def test_what_the_paper_does_not_have_is_none() -> None:
    assert paper_ms("shufflenet-0.25x-g1", "224x224") is None
    assert paper_speedup("alexnet", "227x227") is None
