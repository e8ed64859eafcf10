"""Axes place values by their logarithm, and have a handful of round gridlines."""

from __future__ import annotations

import itertools
import math

import pytest

from bench.report_page.scales import MAX_TICKS, Axis, axis_around, log_ticks


def test_a_value_stands_where_its_logarithm_does() -> None:
    axis = Axis("x", 1, 100, start=10, end=90)
    assert [axis.place(value) for value in (1, 10, 100)] == [10, 50, 90]


def test_an_axis_may_run_upwards() -> None:
    axis = Axis("y", 1, 100, start=90, end=10)
    assert axis.place(1) > axis.place(100)


def test_there_is_room_around_the_values() -> None:
    axis = axis_around("x", [2.0, 8.0], 0, 100)
    assert 0 < axis.place(2.0) < axis.place(8.0) < 100


@pytest.mark.parametrize(("low", "high"), [(1.1, 5), (0.2, 15), (1, 3e6), (110, 140), (7.1, 7.9)])
def test_gridlines_are_few_and_inside(low: float, high: float) -> None:
    ticks = log_ticks(low, high)
    assert len(ticks) <= MAX_TICKS
    assert all(low <= tick <= high for tick in ticks)


def test_a_narrow_axis_has_finer_steps_than_a_wide_one() -> None:
    assert log_ticks(1.1, 5) == [1.5, 2, 3, 4, 5]
    assert log_ticks(0.2, 15) == [0.2, 0.5, 1, 2, 5, 10]
    assert log_ticks(1, 9e5) == [1, 10, 100, 1e3, 1e4, 1e5]


@pytest.mark.parametrize(("low", "high"), [(480, 9000), (1.1, 5), (0.2, 15), (1, 3e6)])
def test_gridlines_leave_room_for_their_texts_on_a_phone(low: float, high: float) -> None:
    places = [math.log(tick / low) / math.log(high / low) for tick in log_ticks(low, high)]
    assert len(places) > 1
    assert min(right - left for left, right in itertools.pairwise(places)) > 0.12
