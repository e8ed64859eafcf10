"""The paper's Table 8, and the factors that the paper derives from it."""

from __future__ import annotations

import pytest

from bench.paper import INPUTS, TABLE8_MS, paper_ms, paper_speedup
from model.zoo import model_name


@pytest.mark.parametrize(
    ("model", "speedups"),
    [
        ("shufflenet-0.5x-g3", (12.1, 13.2, 14.0)),
        ("shufflenet-1.0x-g3", (4.9, 5.2, 5.3)),
        ("shufflenet-2.0x-g3", (1.7, 1.9, 2.0)),
        ("mobilenet-1.0", (1.7, 1.9, 1.9)),
    ],
)
def test_the_factors_are_those_of_the_paper(model: str, speedups: tuple[float, ...]) -> None:
    found = tuple(round(paper_speedup(model, size), 1) for size in INPUTS)
    assert found == speedups


def test_every_network_is_one_of_ours() -> None:
    assert [model_name(name) for name in TABLE8_MS] == list(TABLE8_MS)


def test_alexnets_own_input_is_the_papers_first_column() -> None:
    assert paper_ms("alexnet", "227x227") == paper_ms("alexnet", "224x224") == 184.0


def test_the_paper_says_nothing_of_other_networks_and_inputs() -> None:
    assert paper_ms("shufflenet-1.0x-g8", "224x224") is None
    assert paper_speedup("shufflenet-0.5x-g3", "32x32") is None
