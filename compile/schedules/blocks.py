"""What a schedule rule needs to know of a PrimFunc's blocks: their loops by kind, their MACs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tvm import s_tir, sym, tirx
from tvm.s_tir.schedule import LoopRV, SBlockRV


@dataclass(frozen=True)
class BlockLoops:
    """The loops over one block, outermost first, sorted by the kind of iterator they drive."""

    spatial: tuple[LoopRV, ...]
    spatial_extents: tuple[int, ...]
    reduction: tuple[LoopRV, ...]


def leaf_blocks(sch: s_tir.Schedule) -> list[SBlockRV]:
    """The computing blocks of the function, in program order."""
    return list(sch.get_child_blocks(sch.get_sblock("root")))


def block_loops(sch: s_tir.Schedule, block: SBlockRV) -> BlockLoops | None:
    """Sorts a block's loops into spatial and reduction ones.

    None where the block is not one loop for each iterator with static extents: a rule must then
    leave it alone.
    """
    loops, iterators = sch.get_loops(block), sch.get(block).iter_vars
    extents = [sch.get(loop).extent for loop in loops]
    if len(loops) != len(iterators) or not all(isinstance(e, tirx.IntImm) for e in extents):
        return None
    reduces = [iterator.iter_type == tirx.IterVar.CommReduce for iterator in iterators]
    rows = list(zip(loops, extents, reduces, strict=True))
    return BlockLoops(
        spatial=tuple(loop for loop, _, is_reduction in rows if not is_reduction),
        spatial_extents=tuple(int(extent) for _, extent, is_reduction in rows if not is_reduction),
        reduction=tuple(loop for loop, _, is_reduction in rows if is_reduction),
    )


def reads_rows_contiguously(sch: s_tir.Schedule, block: SBlockRV) -> bool:
    """Whether neighbours along the last spatial iterator read neighbouring (or the same) elements.

    False for stride 2 and for reductions over the rows themselves: vector loads become gathers.
    """
    node = sch.get(block)
    spatial = [i.var for i in node.iter_vars if i.iter_type != tirx.IterVar.CommReduce]
    return all(_steps_by_one_at_most(region, spatial[-1]) for region in node.reads)


def _steps_by_one_at_most(region: tirx.BufferRegion, iterator: tirx.Var) -> bool:
    *outer, innermost = (axis.min for axis in region.region)
    steps = [_step(index, iterator) for index in outer]
    return all(step == 0 for step in steps) and _step(innermost, iterator) in (0, 1)


def _step(index: tirx.Expr, iterator: tirx.Var) -> int | None:
    """By how much `index` grows with `iterator`; None where it is not linear in it."""
    coefficients = sym.detect_linear_equation(index, [iterator])
    return int(coefficients[0]) if coefficients else None


def multiply_accumulates(func: tirx.PrimFunc) -> int:
    """MACs of an unscheduled PrimFunc: iterations of the blocks that add a product to their output.

    Padded taps count, as in the usual MAC figures of convolutions.
    """
    sch = s_tir.Schedule(func)
    blocks = [sch.get(block) for block in leaf_blocks(sch)]
    return sum(
        math.prod(int(iterator.dom.extent) for iterator in block.iter_vars)
        for block in blocks
        if _accumulates_product(block)
    )


def _accumulates_product(block: s_tir.SBlock) -> bool:
    if block.init is None or not isinstance(block.body, tirx.BufferStore):
        return False
    value = block.body.value
    return isinstance(value, tirx.Add) and isinstance(value.b, tirx.Mul)
