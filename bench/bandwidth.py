"""The memory bandwidth that one core gets, measured: it reads more than any cache holds.

    for i in range(STEPS): for each of CHAINS vectors: sum += X[i, chain]

Weights are read once an inference and activations mostly lie in cache, so reading is what counts.
"""

from __future__ import annotations

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.targets import CompileTarget

FLOAT, FLOAT_BYTES = "float32", 4
READ_BYTES = 128 << 20  # four times the largest last-level cache that one core of a server shares
CHAINS = 8  # independent sums: four cycles of latency on two units
READ_LOOP = "read_loop"


def read_shapes(target: CompileTarget) -> tuple[tuple[int, ...], ...]:
    """Of X (steps, CHAINS, lanes), which are READ_BYTES, and of the sums Z (CHAINS, lanes)."""
    lanes = target.core.lanes
    steps = READ_BYTES // (CHAINS * lanes * FLOAT_BYTES)
    return (steps, CHAINS, lanes), (CHAINS, lanes)


def read_prim_func(target: CompileTarget) -> tirx.PrimFunc:
    """The kernel: parameters X, Z; Z = the sum of X over its first axis."""
    (steps, chains, lanes), sums = read_shapes(target)
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name(READ_LOOP)
        T.func_attr({"tirx.noalias": True})
        x = T.arg("X", T.Buffer((steps, chains, lanes), FLOAT))
        z = T.arg("Z", T.Buffer(sums, FLOAT))
        acc = T.alloc_buffer(sums, FLOAT, scope="local")
        with T.unroll(chains) as i, T.vectorized(lanes) as lane:
            T.buffer_store(acc, T.float32(0), [i, lane])
        with T.serial(steps) as step, T.unroll(chains) as i, T.vectorized(lanes) as lane:
            T.buffer_store(acc, acc[i, lane] + x[step, i, lane], [i, lane])
        with T.unroll(chains) as i, T.vectorized(lanes) as lane:
            T.buffer_store(z, acc[i, lane], [i, lane])
    return builder.get()
