"""A loop of nothing but products of int8 in registers: what a core can do at most in int8.

    acc[i, :] = S[i, :]                                   # int32, in registers
    for step (unrolled by 4): acc[i, :] += acc[i, :] . Y  # the bits of acc as int8 or int16
    Z[i, :] = acc[i, :]

By the instructions that kernels take (`compile/schedules/int8_lanes.py`): `sdot`, `vpmaddwd` with
an addition, or a widening multiply-add. Each accumulator is its own operand, as a product of others
would be the same in every step, and LLVM would make it once where an addition stands apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from bench.fma_loop import OPERAND_REGISTERS, STEP_UNROLL, STEPS
from compile.schedules.int8_lanes import DEPTHS, STORED, Dots, add_dot, dots_of, sum_lanes
from compile.targets import CompileTarget


@dataclass(frozen=True)
class ProductLoop:
    """`accumulators` vectors of `lanes` sums, each added to STEPS times."""

    accumulators: int
    lanes: int
    dots: Dots

    @property
    def name(self) -> str:
        """Of its PrimFunc."""
        return f"{self.dots}_loop_{self.accumulators}"

    @property
    def macs(self) -> int:
        """Multiply-adds of one call."""
        return STEPS * self.accumulators * self.lanes * DEPTHS[self.dots]


def product_loops(target: CompileTarget) -> tuple[ProductLoop, ...]:
    """The loops to try: 8, 12, ... accumulators, as many as fit beside Y and a product.

    Eight hide four cycles of latency on two units; some cores need more.
    """
    core = target.core
    fitting = range(8, core.vector_registers - OPERAND_REGISTERS + 1, 4)
    return tuple(ProductLoop(count, sum_lanes(core), dots_of(core)) for count in fitting)


def product_prim_func(loop: ProductLoop) -> tirx.PrimFunc:
    """The kernel: parameters Y (lanes * depth,) int8 or int16, S and Z (accumulators, lanes)."""
    sums, stored = (loop.accumulators, loop.lanes), STORED[loop.dots]
    factors = loop.lanes * DEPTHS[loop.dots]
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name(loop.name)
        T.func_attr({"tirx.noalias": True})
        y = T.arg("Y", T.Buffer((factors,), stored))
        start, z = (T.arg(name, T.Buffer(sums, "int32")) for name in "SZ")
        acc = T.alloc_buffer(sums, "int32", scope="local")
        places = [[i, T.Ramp(0, 1, loop.lanes)] for i in range(loop.accumulators)]
        for place in places:
            T.buffer_store(acc, start[tuple(place)], place)
        weights = T.bind(y[T.Ramp(0, 1, factors)])
        with T.serial(STEPS // STEP_UNROLL):
            for _ in range(STEP_UNROLL):
                for place in places:
                    so_far = T.bind(acc[tuple(place)])
                    values = _low_values(loop, so_far)
                    total = add_dot(loop.dots, loop.lanes, so_far, values, weights)
                    T.buffer_store(acc, total, place)
        for place in places:
            T.buffer_store(z, acc[tuple(place)], place)
    return builder.get()


def _low_values(loop: ProductLoop, sums: tirx.Expr) -> tirx.Expr:
    """As many values as `sums` have products, out of their own bits."""
    stored, bits = STORED[loop.dots], {"int8": 8, "int16": 16}[STORED[loop.dots]]
    every = tirx.reinterpret(f"{stored}x{loop.lanes * 32 // bits}", sums)
    wanted = loop.lanes * DEPTHS[loop.dots]
    if wanted == loop.lanes * 32 // bits:
        return every
    return tirx.Shuffle([every], list(range(wanted)))
