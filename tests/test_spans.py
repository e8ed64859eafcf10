"""Values side by side are as few vectors as they can be."""

from __future__ import annotations

import pytest

from compile.schedules.spans import pieces, row_pieces, span


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, [(0, 1)]), (7, [(0, 4), (4, 2), (6, 1)]), (28, [(0, 16), (16, 8), (24, 4)]), (0, [])],
)
def test_pieces_are_powers_of_two_and_make_the_whole(
    count: int, expected: list[tuple[int, int]]
) -> None:
    assert pieces(count) == expected


def test_the_last_vector_of_a_row_begins_earlier() -> None:
    assert row_pieces(28) == [(0, 16), (12, 16)]
    assert row_pieces(16) == [(0, 16)]
    assert row_pieces(7) == pieces(7)


def test_one_value_is_no_vector() -> None:
    assert span(3, 1) == 3
    ramp = span(3, 4)
    assert (int(ramp.base), int(ramp.stride), int(ramp.lanes)) == (3, 1, 4)
