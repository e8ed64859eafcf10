"""A plain schedule for any PrimFunc that no template covers: tiled, vectorised, parallel.

Each block is scheduled for itself, so the rule never fuses and always applies:

    injective:  for outer (parallel): for v (vectorised): Y[..] = f(X[..])
    reduction:  for outer (parallel):
                  for row, piece (unrolled): for v (vectorised): acc = init
                  for k...: for row, piece (unrolled): for v (vectorised): acc += ...
                  for row, piece (unrolled): for v (vectorised): Y[..] = acc

The accumulators of a reduction stay in registers; their tile comes from the core's register count.
A reduction whose neighbours in a row read elements further apart (stride 2, global pooling) is only
made parallel: vector loads would be gathers, and LLVM's own vectoriser does better (stem of
24x112x112, one x86 thread, AVX-512, 2026-11-23: 646 us left to LLVM, 1236 us tiled).
"""

from __future__ import annotations

from tvm import s_tir, tirx
from tvm.ir import TensorLoad
from tvm.s_tir.schedule import LoopRV, SBlockRV

from compile.schedules.blocks import BlockLoops, block_loops, leaf_blocks, reads_rows_contiguously
from compile.schedules.maximum import with_nan
from compile.schedules.tiles import largest_divisor, vector_width
from deploy_rpc.cores import Core

MAX_PIECES = 7  # vectors along a row; more only lengthen the code
MAX_ROWS = 8  # output rows that share one vector of inputs


def schedule_generic(func: tirx.PrimFunc, core: Core, threads: int) -> s_tir.Schedule:
    """Schedules every block of `func` for `core`; always succeeds.

    Loops are parallel only for `threads` > 1: launching a parallel loop costs time on one thread.
    """
    sch = s_tir.Schedule(with_nan(func))
    _inline_plain_copies(sch)
    for block in leaf_blocks(sch):
        loops = block_loops(sch, block)
        if loops is None or not loops.spatial:
            continue
        if not loops.reduction:
            _schedule_injective(sch, loops, core, threads)
        elif reads_rows_contiguously(sch, block):
            _schedule_reduction(sch, block, loops, core, threads)
        else:
            _parallelise(sch, list(loops.spatial[:-1]) or list(loops.spatial), threads)
    return sch


def _inline_plain_copies(sch: s_tir.Schedule) -> None:
    """Removes `pad_temp[i] = X[i]` blocks, which convolutions without padding are lowered with.

    Copies into a parameter stay: those are outputs, as the moments that a batch norm hands on.
    """
    (function,) = sch.mod.functions.values()
    for block in leaf_blocks(sch)[:-1]:
        body = sch.get(block).body
        is_copy = isinstance(body, tirx.BufferStore) and isinstance(body.value, TensorLoad)
        if is_copy and not any(body.buffer.same_as(each) for each in function.params):
            sch.compute_inline(block)


def _schedule_injective(sch: s_tir.Schedule, loops: BlockLoops, core: Core, threads: int) -> None:
    *outer, innermost = loops.spatial
    width = vector_width(loops.spatial_extents[-1], core.lanes)
    if width > 1:
        innermost, vec = sch.split(innermost, factors=[None, width])
        sch.vectorize(vec)
    _parallelise(sch, outer or [innermost], threads)


def _schedule_reduction(
    sch: s_tir.Schedule, block: SBlockRV, loops: BlockLoops, core: Core, threads: int
) -> None:
    accumulators = core.vector_registers // 2
    *outer, innermost = loops.spatial
    extent = loops.spatial_extents[-1]
    width = vector_width(extent, core.lanes)
    pieces = largest_divisor(extent // width, min(MAX_PIECES, accumulators))
    vec_outer, piece, vec = sch.split(innermost, factors=[None, pieces, width])
    outer.append(vec_outer)
    tiled = [piece, vec]
    if len(loops.spatial) > 2:  # a second axis (the channels of NCHW) shares the loaded inputs
        rows = largest_divisor(loops.spatial_extents[1], min(MAX_ROWS, accumulators // pieces))
        outer[1], row = sch.split(outer[1], factors=[None, rows])
        tiled.insert(0, row)
    sch.reorder(*outer, *loops.reduction, *tiled)
    write_back = sch.cache_write(block, 0, "local")
    sch.reverse_compute_at(write_back, _parallelise(sch, outer, threads))
    tile_loops = slice(-len(tiled) + 1, None)  # the copy's row loop is not split yet
    _split_like_the_tile(sch, sch.get_loops(write_back)[tile_loops], width)
    _unroll_and_vectorise(sch, tiled)
    init = sch.decompose_reduction(block, loops.reduction[0])
    _unroll_and_vectorise(sch, sch.get_loops(init)[-len(tiled) :])


def _split_like_the_tile(sch: s_tir.Schedule, loops: list[LoopRV], width: int) -> None:
    *outer, innermost = loops
    _unroll_and_vectorise(sch, [*outer, *sch.split(innermost, factors=[None, width])])


def _parallelise(sch: s_tir.Schedule, outer: list[LoopRV], threads: int) -> LoopRV:
    """Fuses `outer` into one parallel loop; returns the innermost loop that is left.

    One thread keeps the loops apart: LLVM follows their indices better than those of a fused loop.
    """
    if threads == 1:
        return outer[-1]
    fused = sch.fuse(*outer)
    sch.parallel(fused)
    return fused


def _unroll_and_vectorise(sch: s_tir.Schedule, loops: list[LoopRV]) -> None:
    *outer, innermost = loops
    for loop in outer:
        sch.unroll(loop)
    sch.vectorize(innermost)
