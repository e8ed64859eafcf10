"""A loop of nothing but fused multiply-adds in registers: what a core can do at most.

    for lane: acc[i, lane] = S[i, lane]                        # in registers
    for step (unrolled by 4): acc[i, :] = fma(X, Y, acc[i, :]) # X, Y in registers, too
    Z[i, :] = acc[i, :]

No loads, no stores in the loop; each accumulator depends on itself alone, so `accumulators` of them
hide the latency of an FMA. Nothing is loop invariant but X * Y, which an FMA does not round by
itself, so LLVM can neither hoist nor fold it, and different S keep it from merging accumulators.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T
from tvm.target import codegen

from compile.targets import CompileTarget, TargetError

FLOAT = "float32"
STEPS = 1 << 14
STEP_UNROLL = 4
OPERAND_REGISTERS = 2  # X and Y


@dataclass(frozen=True)
class FmaLoop:
    """`accumulators` vectors of `lanes` float32 values, each added to STEPS times."""

    accumulators: int
    lanes: int

    @property
    def name(self) -> str:
        """Of its PrimFunc."""
        return f"fma_loop_{self.accumulators}"

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of X, Y, S and Z."""
        vector, vectors = (self.lanes,), (self.accumulators, self.lanes)
        return vector, vector, vectors, vectors

    @property
    def macs(self) -> int:
        """Multiply-adds of one call."""
        return STEPS * self.accumulators * self.lanes


def fma_loops(target: CompileTarget) -> tuple[FmaLoop, ...]:
    """The loops to try: 8, 12, ... accumulators, as many as fit the registers beside X and Y.

    Eight hide four cycles of latency on two units; some cores need more. Raises `TargetError` for
    an x86 target without FMA: LLVM would hoist X * Y there, and leave half of the work.
    """
    core = target.core
    if core.isa == "x86_64" and not codegen.target_has_features("fma", target.tvm):
        raise TargetError(
            f"target {target.name} has no fused multiply-add, so no FMA peak; name its CPU as "
            '\'{"kind": "llvm", "mcpu": "haswell"}\', or take --target host'
        )
    fitting = range(8, core.vector_registers - OPERAND_REGISTERS + 1, 4)
    return tuple(FmaLoop(accumulators, core.lanes) for accumulators in fitting)


def fma_prim_func(loop: FmaLoop) -> tirx.PrimFunc:
    """The kernel: parameters X, Y (lanes,), S, Z (accumulators, lanes); Z = S + STEPS * X * Y."""
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name(loop.name)
        T.func_attr({"tirx.noalias": True})
        x, y, start, z = (
            T.arg(name, T.Buffer(shape, FLOAT))
            for name, shape in zip("XYSZ", loop.shapes, strict=True)
        )
        acc = T.alloc_buffer((loop.accumulators, loop.lanes), FLOAT, scope="local")
        with T.unroll(loop.accumulators) as i, T.vectorized(loop.lanes) as lane:
            T.buffer_store(acc, start[i, lane], [i, lane])
        with (
            T.serial(STEPS // STEP_UNROLL),
            T.unroll(STEP_UNROLL),
            T.unroll(loop.accumulators) as i,
            T.vectorized(loop.lanes) as lane,
        ):
            T.buffer_store(acc, T.fma(x[lane], y[lane], acc[i, lane]), [i, lane])
        with T.unroll(loop.accumulators) as i, T.vectorized(loop.lanes) as lane:
            T.buffer_store(z, acc[i, lane], [i, lane])
    return builder.get()
