"""A wrong output never passes verification."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from compile.network import Network
from compile.verify import VerificationError, verify
from tests.small_networks import small_network


class Answering:
    """A loaded module that gives one answer whatever comes."""

    def __init__(self, answer: np.ndarray) -> None:
        self.answer = answer

    def run_all(self, x: np.ndarray) -> list[np.ndarray]:
        return [self.answer]


@pytest.fixture(scope="module")
def network() -> Network:
    return small_network()


@pytest.fixture(scope="module")
def expected(network: Network) -> np.ndarray:
    return network.reference(network.example_input())


def check(answer: np.ndarray, network: Network, expected: np.ndarray) -> object:
    (result,) = verify(Answering(answer), network, [expected], level="unfused", where="a test")
    return result


def test_the_same_output_passes_with_its_error(network: Network, expected: np.ndarray) -> None:
    result = check(expected + np.float32(1e-5) * np.ptp(expected), network, expected)
    assert result.relative_error == pytest.approx(1e-5, rel=0.1)
    assert result.max_abs_error == pytest.approx(1e-5 * result.output_range, rel=0.1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e-3])
def test_one_wrong_value_fails(network: Network, expected: np.ndarray, bad: float) -> None:
    wrong = expected.copy()
    wrong[0, 3] += bad * np.ptp(expected)
    with pytest.raises(VerificationError, match=r"unfused on a test does not match PyTorch"):
        check(wrong, network, expected)


def test_another_shape_fails(network: Network, expected: np.ndarray) -> None:
    with pytest.raises(VerificationError, match="shape"):
        check(expected[:, :-1], network, expected)


def test_the_example_input_is_in_the_range_of_the_preprocessing(network: Network) -> None:
    pictures = dataclasses.replace(network, preprocessing="bgr255").example_input()
    assert 0 <= pictures.min() < 5
    assert 250 < pictures.max() <= 255
    assert network.example_input().min() < -2
