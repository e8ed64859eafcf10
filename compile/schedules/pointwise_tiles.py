"""The tile of a grouped 1x1 convolution: all its decisions, and how it cuts pixels and outputs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from compile.schedules.overlap import tile_starts
from compile.schedules.pointwise_workload import PointwiseWorkload


@dataclass(frozen=True)
class PointwiseTile:
    """The decisions: accumulators are `rows` x `vectors` vectors of `lanes`.

    Rows are channels and lanes pixels in planes, the other way round with channels in the lanes.
    With `prefetch` the pixels of one tile of outputs bring the weights of the next one to L2, and
    with `prefetch_shortcut` each tile what the shortcut adds to the next pixels to L1. The
    broadcast rows are loaded as vectors of `row_lanes`, which divides them; 1 is one by one. With
    `peel`, which needs `can_peel`, the first and the last step over k stand outside their loop,
    where their FMAs overlap the loads of the start and the stores of the end; with `peel_first` the
    first alone does, where both would spill. `groups_inner` walks the pixels outermost, all groups
    inside: what is read and written then lies together. With `tail`, which needs `row_lanes` and
    planes, pixels that fill no vector have outputs in the lanes: 49 pixels take 12 vectors and a
    quarter of one, not 13. With channels in the lanes the last vector of outputs may be one of
    `sharing` pixels (see `pointwise_shared`). With `spread_bias`, which needs `can_spread_bias`,
    every sum is loaded with its bias, and with `paired`, which needs `can_pair`, vectors of a row
    are stored in pairs (see `volatile`). With `halves`, which needs `can_halve`, a tile of outputs
    adds the first half of the inputs for all pixels, then the second: its weights, and what comes
    with the pixels, then stay in the L1 cache, and the sums wait in Y meanwhile. With `k_lanes`
    inputs of each sum lie in the lanes, too (see `pointwise_k_lanes`), and `k_unroll` counts steps
    of so many. With `narrows` the last tile of a group's outputs, which are in the lanes, has the
    vectors that are left, instead of beginning earlier: it may then run in place. That needs
    `can_narrow`.
    """

    rows: int
    vectors: int
    lanes: int
    k_unroll: int
    pixels_outer: bool
    prefetch: bool = False
    maxnum: bool = False
    row_lanes: int = 1
    peel: bool = False
    groups_inner: bool = False
    tail: bool = False
    sharing: int = 1
    spread_bias: bool = False
    paired: bool = False
    peel_first: bool = False
    halves: bool = False
    prefetch_shortcut: bool = False
    k_lanes: int = 1
    narrows: bool = False

    @property
    def width(self) -> int:
        """Values along the axis that is in the lanes."""
        return self.vectors * self.lanes // self.k_lanes

    def padding(self, along: int) -> int:
        """Lanes of the last vector that none of the values `along` the lanes stands in."""
        return max(self.width - along, 0)

    def narrowed(self, outputs: int) -> PointwiseTile:
        """The last tile of a group's `outputs`, which has no more vectors than are left for it."""
        left = -(-(outputs % self.width) // self.lanes)
        return replace(self, vectors=left, narrows=False)


def whole_vectors(outputs: int, vectors: int, lanes: int, k_lanes: int) -> int:
    """How many of a tile's `vectors` with inputs in the lanes are added to others of their pixel.

    `k_lanes` of them at a time; the last vector of few outputs begins earlier, and is none.
    """
    plain = min(vectors, outputs * k_lanes // lanes)
    return plain - plain % k_lanes


def accumulators(rows: int, vectors: int, sharing: int) -> int:
    """Vectors of sums of a tile; the last ones count once for the pixels that share them."""
    return rows * (vectors - 1) + rows // sharing


def runs_in_place(workload: PointwiseWorkload, tile: PointwiseTile) -> bool:
    """Whether the shortcut may be the output itself.

    A tile that begins earlier would add it twice, and a shuffled store overwrite what is still to
    be added: both axes have to be multiples of the tile, and the store plain.
    """
    plain = workload.shuffle_rows == 1 and not workload.stored_channels
    return workload.shortcut and plain and overlaps_none(workload, tile)


def tile_outputs(workload: PointwiseWorkload, tile: PointwiseTile) -> int:
    """How many outputs of a group one tile makes, padding included."""
    return tile.rows if workload.layout == "planes" else tile.width


def tile_pixels(workload: PointwiseWorkload, tile: PointwiseTile) -> int:
    """Of how many pixels."""
    return tile.width if workload.layout == "planes" else tile.rows


def tiled_pixels(workload: PointwiseWorkload, tile: PointwiseTile) -> int:
    """How many pixels are cut into tiles; those of a tail are not."""
    return workload.pixels - workload.pixels % tile.lanes if tile.tail else workload.pixels


def tile_counts(workload: PointwiseWorkload, tile: PointwiseTile) -> tuple[int, int]:
    """Tiles of a group along its outputs and its pixels."""
    return (
        len(tile_starts(workload.outputs, tile_outputs(workload, tile))),
        len(tile_starts(tiled_pixels(workload, tile), tile_pixels(workload, tile))),
    )


def is_exact(workload: PointwiseWorkload, pixels: int, rows: int, width: int) -> bool:
    """Whether no tile of `rows` by `width` overlaps another, where `pixels` are cut into tiles."""
    across, along = axes_of(replace(workload, pixels=pixels))
    return across % rows == 0 and (along % width == 0 or width >= along)


def overlaps_none(workload: PointwiseWorkload, tile: PointwiseTile) -> bool:
    """Whether no tile begins earlier than where the one before it ends."""
    width = 1 if tile.narrows else tile.width
    return is_exact(workload, tiled_pixels(workload, tile), tile.rows, width)


def axes_of(workload: PointwiseWorkload) -> tuple[int, int]:
    """Extents across the vectors (rows) and along them (lanes), of one group."""
    planes = workload.layout == "planes"
    outputs, pixels = workload.outputs, workload.pixels
    return (outputs, pixels) if planes else (pixels, outputs)
