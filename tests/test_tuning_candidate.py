"""A candidate has to answer right for usual inputs, and for NaN and infinity among them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tvm import tirx

from compile.schedules.pool_tiles import PoolTile
from compile.schedules.templates import made_by_default
from compile.tuning.candidate import ODD, difference, error_of, with_odd_values
from tests.cores import A72
from tests.test_golden import KERNELS


def test_odd_values_are_put_into_the_first_input_only() -> None:
    inputs = [np.ones((2, 3, 5), np.float32), np.ones(4, np.float32)]
    first, second = with_odd_values(inputs)
    assert (first != 1).sum() == len(ODD)
    assert np.isnan(first).sum() == np.isinf(first).sum() == 1
    np.testing.assert_array_equal(second, inputs[1])


@pytest.mark.parametrize(
    ("answer", "expected", "error"),
    [
        ([1.0, np.nan], [1.0, np.nan], 0),
        ([1.0, np.inf], [1.0, np.nan], np.inf),
        ([1.0, -np.inf], [1.0, np.inf], np.inf),
        ([1.0, 0.0], [1.0, np.nan], np.inf),
        ([np.nan], [np.nan], 0),
    ],
)
def test_nan_and_infinity_have_to_be_where_they_are_expected(
    answer: list[float], expected: list[float], error: float
) -> None:
    assert difference(np.array(answer), np.array(expected)) == error


@pytest.mark.usefixtures("kernels_made_anew")
def test_a_tile_that_loses_nan_is_a_wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The maximum of before NaN was looked for: right for every usual input."""
    _, workload = KERNELS["pool_max"]
    made = made_by_default(workload, A72, 1)
    assert error_of(made, made) == 0
    losing = dataclasses.replace(made, tile=PoolTile(made.tile.lanes, maxnum=False))
    monkeypatch.setattr("compile.schedules.pool_values.larger", lambda a, b, maxnum: tirx.max(a, b))
    assert error_of(losing, made) == np.inf
