"""Tile sizes divide their extents and fit the registers."""

from __future__ import annotations

import pytest

from compile.schedules.tiles import divisors, largest_divisor, vector_width


def test_divisors_come_in_ascending_order() -> None:
    assert divisors(12) == [1, 2, 3, 4, 6, 12]


@pytest.mark.parametrize(
    ("extent", "lanes", "width"),
    [(28, 4, 4), (28, 16, 4), (14, 4, 2), (7, 4, 1), (112, 16, 16), (1, 16, 1)],
)
def test_a_vector_is_a_power_of_two_that_divides(extent: int, lanes: int, width: int) -> None:
    assert vector_width(extent, lanes) == width


@pytest.mark.parametrize(("extent", "limit", "factor"), [(60, 8, 6), (7, 4, 1), (5, 0, 1)])
def test_the_largest_divisor_keeps_the_limit(extent: int, limit: int, factor: int) -> None:
    assert largest_divisor(extent, limit) == factor
