"""An engine that answers something else than the network is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bench.engine_output import check_output
from bench.limited import EngineError
from compile.source import random_network


def test_an_engine_that_answers_something_else_is_refused() -> None:
    network = random_network("shufflenet-0.25x-g1", input_size=(32, 32))
    expected = network.reference(network.example_input())
    check_output("right", network, expected + np.float32(1e-6), expected)
    with pytest.raises(EngineError, match="answers wrong"):
        check_output("wrong", network, np.zeros_like(expected), expected)
    with pytest.raises(EngineError, match="answers wrong"):
        check_output("nothing", network, np.full_like(expected, np.nan), expected)


def test_int8_is_right_where_it_correlates_with_float32() -> None:
    network = random_network("shufflenet-0.25x-g1", input_size=(32, 32))
    expected = np.random.default_rng(0).standard_normal((1, 1000))
    noise = np.random.default_rng(1).standard_normal((1, 1000))
    check_output("peer", network, expected + 0.3 * noise, expected, "int8")
    with pytest.raises(EngineError, match=r"answers wrong .* correlation with PyTorch .* is 0.7"):
        check_output("peer", network, expected + noise, expected, "int8")
    with pytest.raises(EngineError, match=r"is nan, at least 0\.9"):
        check_output("peer", network, np.zeros((1, 1000)), expected, "int8")


def test_integers_have_to_be_the_same() -> None:
    network = random_network("shufflenet-0.25x-g1", input_size=(32, 32))
    exact = dataclasses.replace(network, tolerance=0.0)
    expected = np.arange(1000.0).reshape(1, 1000)
    check_output("ours", exact, expected.copy(), expected, "int8")
    with pytest.raises(EngineError, match=r"error 0\.001"):
        check_output("ours", exact, expected + 1, expected, "int8")
