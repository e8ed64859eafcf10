"""Tiles of 1x1 convolutions cut pixels and outputs, overlap or not, and then run in place."""

from __future__ import annotations

import dataclasses

from compile.schedules.pointwise_default import default_tile
from compile.schedules.pointwise_tiles import runs_in_place, tile_counts, tiled_pixels
from tests.cores import A72
from tests.pointwise_kernels import ON_7X7


def test_a_tail_makes_a_shortcut_on_7x7_run_in_place() -> None:
    tile = default_tile(ON_7X7, A72)
    assert tile.tail
    assert runs_in_place(ON_7X7, tile)
    assert not runs_in_place(ON_7X7, dataclasses.replace(tile, tail=False))


def test_the_pixels_of_a_tail_are_in_no_tile() -> None:
    tile = dataclasses.replace(default_tile(ON_7X7, A72), rows=4, vectors=3, tail=True)
    assert tiled_pixels(ON_7X7, tile) == 48
    assert tile_counts(ON_7X7, tile) == (80, 4)
    assert tile_counts(ON_7X7, dataclasses.replace(tile, tail=False)) == (80, 5)
