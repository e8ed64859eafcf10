"""A row is cut into vectors, of which the last may be shorter, or begin earlier."""

from __future__ import annotations

import pytest

from compile.schedules.depthwise_vectors import RowsTile, each_group


@pytest.mark.parametrize(
    ("columns", "shorter", "expected"),
    [
        (8, True, [(0, 4), (4, 4)]),
        (14, True, [(0, 4), (4, 4), (8, 4), (12, 2)]),
        (14, False, [(0, 4), (4, 4), (8, 4), (10, 4)]),
        (7, True, [(0, 4), (3, 4)]),
        (3, True, [(0, 4)]),
    ],
    ids=["whole", "a shorter one", "one that begins earlier", "three left", "a short row"],
)
def test_vectors_cover_a_row(columns: int, shorter: bool, expected: list[tuple[int, int]]) -> None:
    groups = each_group(columns, RowsTile(2, 8, 4, maxnum=True, shorter=shorter))
    assert [(each.first, each.width) for group in groups for each in group] == expected


def test_a_tile_takes_its_vectors_together_and_the_edges_are_known() -> None:
    first, second = each_group(14, RowsTile(2, 2, 4, maxnum=True))
    assert [each.is_first for each in (*first, *second)] == [True, False, False, False]
    assert [each.is_last for each in (*first, *second)] == [False, False, False, True]
