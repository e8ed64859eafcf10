"""Tiles of one size cover an extent that is no multiple of it."""

from __future__ import annotations

import pytest

from compile.schedules.overlap import tile_starts


@pytest.mark.parametrize(
    ("extent", "size", "starts"), [(10, 4, [0, 4, 6]), (8, 4, [0, 4]), (3, 3, [0])]
)
def test_the_last_tile_begins_earlier(extent: int, size: int, starts: list[int]) -> None:
    assert tile_starts(extent, size) == starts
