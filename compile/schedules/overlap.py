"""Tiles of one size over an extent that is no multiple of it: the last one begins earlier.

Extent 10 in tiles of 4 begins at 0, 4, 6. Values 6 and 7 are computed twice, the same way: cheaper
than a tail loop or predicates, and no padding is needed. Only where a tile's result does not depend
on what was in its place before.
"""

from __future__ import annotations

from tvm import tirx


def tile_starts(extent: int, size: int) -> list[int]:
    """Where each tile of `size` (at most `extent`) begins."""
    return [min(start, extent - size) for start in range(0, extent, size)]


def start_of(index: tirx.Expr, size: int, extent: int) -> tirx.Expr:
    """`tile_starts(extent, size)[index]` for an index that is a loop variable."""
    return index * size if extent % size == 0 else tirx.min(index * size, extent - size)
