"""Tiles of int8 products fit the registers; one is exact where it computes every value once."""

from __future__ import annotations

import pytest

from compile.schedules.int8_tiles import (
    ACCUMULATORS,
    Int8Tile,
    default_tile,
    fitting_tiles,
    is_exact,
    space_of_tiles,
)
from tests.cores import A72, N1


@pytest.mark.parametrize("core", [A72, N1], ids=lambda core: core.name)
def test_the_default_is_one_whose_sums_fit(core: object) -> None:
    tiles = fitting_tiles(20, 196, core)
    assert all(tile.rows * tile.vectors <= ACCUMULATORS[tile.dots] for tile in tiles)
    assert default_tile(20, 80, 196, core) in tiles
    assert default_tile(20, 80, 196, core, most_vectors=1).vectors == 1


def test_weights_may_stay_for_all_pixels_only_where_there_are_groups() -> None:
    assert not any(tile.pixels_inner for tile in space_of_tiles(20, 80, 196, N1))
    assert any(tile.pixels_inner for tile in space_of_tiles(20, 80, 196, N1, groups=3))


def test_a_tile_is_exact_where_it_overlaps_no_other() -> None:
    tile = Int8Tile("sdot", 4, 2, 4)
    assert is_exact(tile, 8, 16)
    assert is_exact(tile, 8, 7)  # one tile of pixels, of which one holds nothing
    assert not is_exact(tile, 8, 12)
    assert not is_exact(tile, 6, 16)
