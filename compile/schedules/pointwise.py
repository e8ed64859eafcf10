"""Grouped 1x1 convolution as a batched GEMM, with everything behind it fused.

    Y[store(g*M + m), n] = relu(sum_k W[g, m, k] * X[load(g*K + k), n] + B[g*M + m] + R[g*M + m, n])

`store` and `load` are where a channel shuffle or a concat behind, or a shuffle before, puts a
channel, so that it costs nothing; R is the shortcut. Shuffles, R and relu are optional. The nest:

    for g: for m_tile, n_tile (order by what stays in L1):
      acc[rows, vectors] = B (+ R)                    # in registers
      for k (unrolled by k_unroll): acc += W * X
      Y[store(..), ..] = max(acc, 0)

One nest serves both layouts. In planes, pixels are in the lanes and rows are channels: a step loads
`vectors` of X and broadcasts `rows` of W. With channels in the lanes rows are pixels: a step loads
`vectors` of W and broadcasts `rows` of X, and a stored channel must be first + m, since a shuffled
store would scatter. Neither M nor N need be a multiple of its tile: the last tile begins earlier
and computes some values again, the same ones (no tail, no predicate). A group of few channels may
also be one tile, its weights padded with zeros, of which the last vector is stored in part.

GFLOP/s of (groups, M, K, N), planes / channels; one thread of an AVX-512 Xeon whose measured peak
is 240, shared, 2026-11-23; R where there is a shortcut, not in place:

    (3, 20, 80, 784)    186 / 109     (3, 40, 160, 196)   169 / 168    (3, 80, 320, 49)    152 / 208
    (3, 80, 20, 784) R  143 / 139     (3, 160, 40, 196) R 139 / 181    (3, 320, 80, 49) R  140 / 190

In place the second is 157 / 176. In the network the prefetch takes 5 to 10 % off. Slower:
prefetching a tile's share at its start (no gain), a tail vector of 12 of 16 lanes where a tile can
begin earlier (154 against 179), one vector by many pixels (14 x 1: 178, 5 x 5: 213).

Modelled multiply-adds a cycle, planes, of the six: 3.87, 3.41, 3.93, 3.67, 3.73, 3.55 of 4 on A72
and 7.61, 6.60, 7.79, 7.28, 7.43, 7.00 of 8 on N1; never measured on ARM. Unrolling a short K whole
took 0.15 of 38.5 M cycles off the network on A72, but spilled, and cost 3 of 20 M on N1.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.schedules.layouts import Layout, matrix_shape
from compile.schedules.maximum import has_maxnum, rectified
from compile.schedules.overlap import start_of, tile_starts
from compile.schedules.registers import (
    LOAD_COSTS,
    accumulator_budget,
    tile_cycles,
    weights_per_load,
)
from compile.schedules.threads import share_of
from compile.schedules.tiles import lane_choices
from deploy_rpc.cores import Core

K_UNROLLS = (4, 2, 1)
MOST_UNEVEN = 1.15  # longest share of the pixels, against that of the best loop
LEAST_INPUTS_PEELED = 20  # by default: LLVM writes a loop over fewer in full, and spills
MOST_ROWS_UNROLLED = 8  # of a shuffle before
DEAREST_IN_PLACE = 1.25  # times the modelled cycles of the best tile, which knows no caches
FLOAT, FLOAT_BYTES = "float32", 4
LINE_BYTES = 64
PREFETCH_TO_READ_FROM_L2 = (0, 2, 1)  # llvm.prefetch: not to write, this locality, data


@dataclass(frozen=True)
class PointwiseWorkload:
    """M outputs from K inputs in each of `groups`, at `pixels` (N) places.

    `shuffle_rows` is the r of a shuffle of the C = groups * M outputs, reshape (r, C / r) and
    transpose; `load_rows` that of a shuffle of the inputs before; 1 is no shuffle. Outputs are
    channels `first_channel` and on of the `stored_channels` of Y (0: Y has no others). With
    `in_place` the shortcut is what Y holds before.
    """

    groups: int
    outputs: int
    inputs: int
    pixels: int
    relu: bool
    shortcut: bool
    shuffle_rows: int = 1
    load_rows: int = 1
    layout: Layout = "planes"
    first_channel: int = 0
    stored_channels: int = 0
    in_place: bool = False

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one call."""
        return self.groups * self.outputs * self.inputs * self.pixels

    @property
    def channels(self) -> int:
        """Output channels of all groups."""
        return self.groups * self.outputs

    @property
    def output_layout(self) -> Layout:
        """Of Y."""
        return self.layout

    @property
    def output_shape(self) -> tuple[int, int]:
        """Of Y."""
        return matrix_shape(self.layout, self.stored_channels or self.channels, self.pixels)

    def loaded_channel(self, channel: tirx.Expr) -> tirx.Expr:
        """Where `channel` of the shuffled inputs lies in what is given."""
        if self.load_rows == 1:
            return channel
        per_row = self.groups * self.inputs // self.load_rows
        return channel % self.load_rows * per_row + channel // self.load_rows

    def stored_channel(self, channel: tirx.Expr) -> tirx.Expr:
        """Where the shuffle behind, or the concat, puts `channel`."""
        if self.shuffle_rows == 1:
            return channel + self.first_channel
        per_row = self.channels // self.shuffle_rows
        return self.first_channel + channel % per_row * self.shuffle_rows + channel // per_row


@dataclass(frozen=True)
class PointwiseTile:
    """The decisions: accumulators are `rows` x `vectors` vectors of `lanes`.

    Rows are channels and lanes pixels in planes, the other way round with channels in the lanes.
    With `prefetch` the pixels of one tile of outputs bring the weights of the next one to L2. The
    broadcast rows are loaded as vectors of `row_lanes`, which divides them; 1 is one by one. With
    `peel`, which needs `can_peel`, the first and the last step over k stand outside their loop,
    where their FMAs overlap the loads of the start and the stores of the end.
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

    @property
    def width(self) -> int:
        """Values along the axis that is in the lanes."""
        return self.vectors * self.lanes

    def padding(self, workload: PointwiseWorkload) -> int:
        """Lanes of the last vector that no output of a group stands in."""
        along = workload.pixels if workload.layout == "planes" else workload.outputs
        return max(self.width - along, 0)


def default_tile(workload: PointwiseWorkload, core: Core) -> PointwiseTile:
    """The tile with the least modelled cycles among those whose accumulators fit the registers.

    With a shortcut one that can run in place is preferred, which saves a third of the memory.
    """
    fitting = fitting_tiles(workload, core)
    cycles = {tile: _modelled_cycles(workload, core, *tile) for tile in fitting}
    best = min(fitting, key=cycles.__getitem__)
    if workload.shortcut:
        exact = [t for t in fitting if cycles[t] <= DEAREST_IN_PLACE * cycles[best]]
        exact = [(r, v, lanes) for r, v, lanes in exact if _is_exact(workload, r, v * lanes)]
        best = min(exact, key=cycles.__getitem__, default=best)
    rows, vectors, lanes = best
    pixels_outer = _pixels_outer(workload, core, rows, vectors * lanes)
    k_unroll = next(unroll for unroll in K_UNROLLS if workload.inputs % unroll == 0)
    prefetch = not pixels_outer and _prefetches(workload, core)
    return PointwiseTile(
        rows=rows,
        vectors=vectors,
        lanes=lanes,
        k_unroll=k_unroll,
        pixels_outer=pixels_outer,
        prefetch=prefetch,
        maxnum=has_maxnum(core),
        row_lanes=row_lanes(workload, core, rows),
        peel=can_peel(workload, k_unroll) and _gains_by_peeling(workload, core, rows),
    )


def can_peel(workload: PointwiseWorkload, k_unroll: int) -> bool:
    """Whether a step over k is left between the first and the last; behind a shuffle none is."""
    return workload.load_rows == 1 and workload.inputs // k_unroll > 2


def _gains_by_peeling(workload: PointwiseWorkload, core: Core, rows: int) -> bool:
    """With one FMLA a cycle all else hides behind it; weights one by one, or few inputs, spill."""
    one_a_cycle = core.isa == "aarch64" and core.macs_per_cycle == core.lanes
    many = workload.inputs >= LEAST_INPUTS_PEELED
    return one_a_cycle and many and row_lanes(workload, core, rows) > 1


def row_lanes(workload: PointwiseWorkload, core: Core, rows: int) -> int:
    """How many of a tile's broadcast rows one load brings.

    Rows of planes are weights, packed side by side; rows of pixels lie apart.
    """
    return weights_per_load(core, rows) if workload.layout == "planes" else 1


def runs_in_place(workload: PointwiseWorkload, tile: PointwiseTile) -> bool:
    """Whether the shortcut may be the output itself.

    A tile that begins earlier would add it twice, and a shuffled store overwrite what is still to
    be added: both axes have to be multiples of the tile, and the store plain.
    """
    plain = workload.shuffle_rows == 1 and not workload.stored_channels
    return workload.shortcut and plain and _is_exact(workload, tile.rows, tile.width)


def fitting_tiles(workload: PointwiseWorkload, core: Core) -> list[tuple[int, int, int]]:
    """Rows, vectors and lanes of the tiles whose accumulators fit the registers."""
    across, along = _axes(workload)
    most = accumulator_budget(core, row_lanes(workload, core, rows=0))
    padded = workload.layout == "channels"
    return [
        (rows, vectors, lanes)
        for lanes in lane_choices(along, core, padded=padded)
        for rows, vectors in itertools.product(range(1, most + 1), repeat=2)
        if rows * vectors <= accumulator_budget(core, row_lanes(workload, core, rows))
        and rows <= across
        and (vectors * lanes <= along or (padded and (vectors - 1) * lanes < along))
    ]


def _is_exact(workload: PointwiseWorkload, rows: int, width: int) -> bool:
    """Whether no tile overlaps another."""
    across, along = _axes(workload)
    return across % rows == 0 and (along % width == 0 or width >= along)


def modelled_cycles(workload: PointwiseWorkload, core: Core) -> float:
    """Of one call with the default tile: a rank for choosing, not a prediction."""
    tile = default_tile(workload, core)
    return _modelled_cycles(workload, core, tile.rows, tile.vectors, tile.lanes)


def pack_weights(
    weights: np.ndarray, workload: PointwiseWorkload, tile: PointwiseTile
) -> np.ndarray:
    """OIHW (groups * M, K, 1, 1) to [group][m tile][k][m], in the order of use, padded with 0."""
    grouped = weights.reshape(workload.groups, workload.outputs, workload.inputs)
    size = _tile_outputs(workload, tile)
    padding = max(size - workload.outputs, 0)
    grouped = np.pad(grouped, ((0, 0), (0, padding), (0, 0)))
    starts = tile_starts(workload.outputs + padding, size)
    blocks = [grouped[:, start : start + size].transpose(0, 2, 1) for start in starts]
    return np.ascontiguousarray(np.stack(blocks, axis=1))


def pointwise(workload: PointwiseWorkload, tile: PointwiseTile, threads: int) -> tirx.PrimFunc:
    """The kernel: parameters X, W as packed, B (groups * M,), [R], Y; all is float32.

    X, R and Y are matrices in the workload's layout. Threads share the tiles of all groups.
    """
    size = _tile_outputs(workload, tile)
    m_tiles, _ = _tile_counts(workload, tile)
    x_shape = matrix_shape(workload.layout, workload.groups * workload.inputs, workload.pixels)
    own = matrix_shape(workload.layout, workload.channels, workload.pixels)
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("pointwise")
        T.func_attr({"tirx.noalias": True, "macs": workload.macs, "schedule": "default"})
        x = T.arg("X", T.Buffer(x_shape, FLOAT))
        weights = T.arg("W", T.Buffer((workload.groups, m_tiles, workload.inputs, size), FLOAT))
        bias = T.arg("B", T.Buffer((workload.channels,), FLOAT))
        apart = workload.shortcut and not workload.in_place
        shortcut = T.arg("R", T.Buffer(own, FLOAT)) if apart else None
        y = T.arg("Y", T.Buffer(workload.output_shape, FLOAT))
        shortcut = y if workload.in_place else shortcut
        for place in _each_place(workload, tile, threads):
            acc = T.alloc_buffer((tile.rows, tile.vectors, tile.lanes), FLOAT)
            _start(workload, tile, place, acc, bias, shortcut)
            _accumulate(workload, tile, place, acc, x, weights)
            _finish(workload, tile, place, acc, y)
    return builder.get().without_attr("global_symbol")


@dataclass(frozen=True)
class _Place:
    """Where a tile lies: its group, its index and first output within it, its first pixel."""

    group: tirx.Expr
    m_tile: tirx.Expr
    output: tirx.Expr
    n_tile: tirx.Expr
    pixel: tirx.Expr


@dataclass(frozen=True)
class _Value:
    """One accumulator: its index, and which output and pixel of its tile it is."""

    at: tuple[tirx.Expr, ...]
    output: tirx.Expr
    pixel: tirx.Expr


def _each_place(workload: PointwiseWorkload, tile: PointwiseTile, threads: int) -> Iterator[_Place]:
    """The loops over all tiles; the body runs once, inside them.

    A loop for each of group, outputs and pixels: LLVM follows their indices better than those of
    one loop. Each thread walks its share of one of them (`_shared_axis`); which tiles there are
    does not depend on the threads.
    """
    m_tiles, n_tiles = _tile_counts(workload, tile)
    inner, outer = (m_tiles, n_tiles) if tile.pixels_outer else (n_tiles, m_tiles)
    counts = [workload.groups, outer, inner]
    if threads == 1:
        with T.serial(counts[0]) as group, T.serial(outer) as i, T.serial(inner) as j:
            yield _place(workload, tile, group, i, j)
        return
    shared = _shared_axis(counts, 1 if tile.pixels_outer else 2, threads)
    with share_of(counts[shared], threads) as share:
        bounds = [share if axis == shared else (0, count) for axis, count in enumerate(counts)]
        first, second, third = (T.serial(*bound) for bound in bounds)
        with first as group, second as i, third as j:
            yield _place(workload, tile, group, i, j)


def _shared_axis(counts: list[int], pixels: int, threads: int) -> int:
    """Which of the loops of `counts` tiles the threads share.

    Pixels, unless another loop is shared much more evenly: all kernels then give a thread the same
    part of the picture, which stays in its cache.
    """
    longest = [-(-count // threads) / count for count in counts]
    best = min(range(3), key=lambda axis: (longest[axis], -axis))
    return pixels if longest[pixels] <= MOST_UNEVEN * longest[best] else best


def _place(
    workload: PointwiseWorkload,
    tile: PointwiseTile,
    group: tirx.Expr,
    outer: tirx.Expr,
    inner: tirx.Expr,
) -> _Place:
    m_tile, n_tile = (inner, outer) if tile.pixels_outer else (outer, inner)
    return _Place(
        group=group,
        m_tile=m_tile,
        output=start_of(
            m_tile,
            _tile_outputs(workload, tile),
            max(_tile_outputs(workload, tile), workload.outputs),
        ),
        n_tile=n_tile,
        pixel=start_of(n_tile, _tile_pixels(workload, tile), workload.pixels),
    )


def _start(
    workload: PointwiseWorkload,
    tile: PointwiseTile,
    place: _Place,
    acc: tirx.Buffer,
    bias: tirx.Buffer,
    shortcut: tirx.Buffer | None,
) -> None:
    if tile.padding(workload):
        for each in _each_value(workload, tile):
            T.buffer_store(acc, tirx.const(0, FLOAT), each.at)
    for each in _each_stored_value(workload, tile):
        channel = place.group * workload.outputs + place.output + each.output
        value = bias[channel]
        if shortcut is not None:
            value = shortcut[_at(workload, channel, place.pixel + each.pixel)] + value
        T.buffer_store(acc, value, each.at)


def _accumulate(
    workload: PointwiseWorkload,
    tile: PointwiseTile,
    place: _Place,
    acc: tirx.Buffer,
    x: tirx.Buffer,
    weights: tirx.Buffer,
) -> None:
    for k, channel in _each_input(workload, tile, place, weights):
        weight_of = _weights_of_step(tile, place, k, weights)
        for each in _each_value(workload, tile):
            value = x[_at(workload, channel, place.pixel + each.pixel)]
            product = value * weight_of(each.output)
            T.buffer_store(acc, acc[each.at] + product, each.at)


def _weights_of_step(
    tile: PointwiseTile, place: _Place, k: tirx.Expr, weights: tirx.Buffer
) -> Callable[[tirx.Expr], tirx.Expr]:
    """From an output of the tile to its weight, loaded one by one or as vectors before."""

    def packed(output: tirx.Expr) -> tirx.Expr:
        return weights[place.group, place.m_tile, k, output]

    if tile.row_lanes == 1:
        return packed
    loaded = T.alloc_buffer((tile.rows,), FLOAT)
    with T.unroll(tile.rows // tile.row_lanes) as i, T.vectorized(tile.row_lanes) as j:
        row = i * tile.row_lanes + j
        T.buffer_store(loaded, packed(row), [row])
    return lambda row: loaded[row]


def _each_input(
    workload: PointwiseWorkload, tile: PointwiseTile, place: _Place, weights: tirx.Buffer
) -> Iterator[tuple[tirx.Expr, tirx.Expr]]:
    """The loops over k, with the channel of X that it is; the body runs once or twice.

    Behind a shuffle of few rows k runs in steps of that many: then every division is of what does
    not change in the loop, and channel grows by 1 a step (8 % of a kernel otherwise).
    """
    first, rows = place.group * workload.inputs, workload.load_rows
    regular = 1 < rows <= MOST_ROWS_UNROLLED
    step = rows if regular else tile.k_unroll
    whole, rest = divmod(workload.inputs, step)
    if tile.peel:
        for outer in _peeled(whole):
            with T.unroll(step) as inner:
                k = outer * step + inner
                yield k, workload.loaded_channel(first + k)
    elif whole:
        with T.serial(whole) as outer:
            if tile.prefetch:
                _prefetch(workload, tile, place, weights, outer, whole)
            with T.unroll(step) as inner:
                k = outer * step + inner
                channel = workload.loaded_channel(first + (inner if regular else k))
                yield k, channel + outer if regular else channel
    if rest:
        with T.unroll(rest) as inner:
            yield whole * step + inner, workload.loaded_channel(first + inner) + whole


def _peeled(steps: int) -> Iterator[int | tirx.Expr]:
    """The first step, a loop over those between, and the last: the body runs three times."""
    yield 0
    with T.serial(steps - 2) as between:
        yield between + 1
    yield steps - 1


def _prefetch(
    workload: PointwiseWorkload,
    tile: PointwiseTile,
    place: _Place,
    weights: tirx.Buffer,
    step: tirx.Expr,
    steps: int,
) -> None:
    """A line of the weights of the next tile of outputs in each step; all pixels take a share.

    Spread over the steps: all at the start of a tile was no faster than none.
    """
    m_tiles, n_tiles = _tile_counts(workload, tile)
    block = workload.inputs * _tile_outputs(workload, tile)
    share = -(-block * FLOAT_BYTES // (LINE_BYTES * n_tiles))
    per_step = -(-share // steps)
    floats = LINE_BYTES // FLOAT_BYTES
    following = (place.group * m_tiles + place.m_tile + 1) * block
    with T.unroll(per_step) as each:
        line = place.n_tile * share + tirx.min(step * per_step + each, share - 1)
        address = T.address_of(weights[0, 0, 0, following + line * floats])
        T.evaluate(T.call_llvm_intrin("void", "llvm.prefetch", address, *PREFETCH_TO_READ_FROM_L2))


def _finish(
    workload: PointwiseWorkload,
    tile: PointwiseTile,
    place: _Place,
    acc: tirx.Buffer,
    y: tirx.Buffer,
) -> None:
    for each in _each_stored_value(workload, tile):
        value = acc[each.at]
        value = rectified(value, maxnum=tile.maxnum) if workload.relu else value
        channel = place.group * workload.outputs + place.output + each.output
        at = _at(workload, workload.stored_channel(channel), place.pixel + each.pixel)
        T.buffer_store(y, value, at)


def _each_value(workload: PointwiseWorkload, tile: PointwiseTile) -> Iterator[_Value]:
    """The loops over a tile's accumulators; the body runs once, inside them."""
    rows, vectors, lanes = T.unroll(tile.rows), T.unroll(tile.vectors), T.vectorized(tile.lanes)
    with rows as row, vectors as vector, lanes as lane:
        yield _value(workload, tile, row, vector, lane)


def _each_stored_value(workload: PointwiseWorkload, tile: PointwiseTile) -> Iterator[_Value]:
    """The same without padding; with padding the body runs twice, the last vector for itself."""
    padding = tile.padding(workload)
    if not padding:
        yield from _each_value(workload, tile)
        return
    last = tile.vectors - 1
    if last:
        with T.unroll(tile.rows) as row, T.unroll(last) as vector, T.vectorized(tile.lanes) as lane:
            yield _value(workload, tile, row, vector, lane)
    with T.unroll(tile.rows) as row, T.vectorized(tile.lanes - padding) as lane:
        yield _value(workload, tile, row, last, lane)


def _value(
    workload: PointwiseWorkload,
    tile: PointwiseTile,
    row: tirx.Expr,
    vector: int | tirx.Expr,
    lane: tirx.Expr,
) -> _Value:
    along = vector * tile.lanes + lane
    output, pixel = (row, along) if workload.layout == "planes" else (along, row)
    return _Value((row, vector, lane), output, pixel)


def _at(workload: PointwiseWorkload, channel: tirx.Expr, pixel: tirx.Expr) -> list[tirx.Expr]:
    return [channel, pixel] if workload.layout == "planes" else [pixel, channel]


def _axes(workload: PointwiseWorkload) -> tuple[int, int]:
    """Extents across the vectors (rows) and along them (lanes), of one group."""
    planes = workload.layout == "planes"
    outputs, pixels = workload.outputs, workload.pixels
    return (outputs, pixels) if planes else (pixels, outputs)


def _tile_outputs(workload: PointwiseWorkload, tile: PointwiseTile) -> int:
    return tile.rows if workload.layout == "planes" else tile.width


def _tile_pixels(workload: PointwiseWorkload, tile: PointwiseTile) -> int:
    return tile.width if workload.layout == "planes" else tile.rows


def _tile_counts(workload: PointwiseWorkload, tile: PointwiseTile) -> tuple[int, int]:
    """Tiles of a group along its outputs and its pixels."""
    return (
        len(tile_starts(workload.outputs, _tile_outputs(workload, tile))),
        len(tile_starts(workload.pixels, _tile_pixels(workload, tile))),
    )


def _modelled_cycles(
    workload: PointwiseWorkload, core: Core, rows: int, vectors: int, lanes: int
) -> float:
    across, along = _axes(workload)
    tiles = -(-across // rows) * -(-along // (vectors * lanes))
    cycles = tile_cycles(
        core,
        workload.layout,
        lanes,
        rows,
        vectors,
        workload.inputs,
        shortcut=workload.shortcut,
    )
    if vectors * lanes > along:  # a vector stored in part takes several stores
        cycles += rows * LOAD_COSTS[workload.layout].store
    return workload.groups * tiles * cycles


def _prefetches(workload: PointwiseWorkload, core: Core) -> bool:
    """Whether weights come from beyond the caches of a core that has lines to spare for them."""
    return core.isa == "x86_64" and workload.layout == "channels"


def _pixels_outer(workload: PointwiseWorkload, core: Core, rows: int, width: int) -> bool:
    """Whether walking pixels outside and outputs inside reads less through L1."""
    x_bytes = FLOAT_BYTES * workload.inputs * workload.pixels
    w_bytes = FLOAT_BYTES * workload.inputs * workload.outputs
    half_l1 = core.l1d_kib * 1024 // 2
    outputs, pixels = (rows, width) if workload.layout == "planes" else (width, rows)
    w_again = 1 if w_bytes <= half_l1 else -(-workload.pixels // pixels)
    x_again = 1 if x_bytes <= half_l1 else -(-workload.outputs // outputs)
    return x_bytes + w_bytes * w_again < x_bytes * x_again + w_bytes
