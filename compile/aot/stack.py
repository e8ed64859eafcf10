"""Functions whose part of the stack is aligned to whole vectors, on x86 with AVX.

There a stack is aligned to 16 bytes only, and LLVM leaves the vectors that it spills where they
come to lie: three of four cross a line of the cache, and one in 64 a page, which depends on the
caller and on chance. The stem of 1x g3 took 75 or 130 us so, by who called it, and takes 71 aligned
(one thread of an EPYC, Zen 5, AVX-512, shared, 2026-11-27). LLVM aligns the stack of a function
that keeps a vector there:

    kernel(..): body    ->    kernel(..): aligned = volatile vector; aligned = 0; body
"""

from __future__ import annotations

import tvm
from tvm import tirx

from compile.schedules.volatile import VOLATILE
from deploy_rpc.host import float_vector_bits

FLOAT, FLOAT_BITS, ABI_BITS = "float32", 32, 128


def with_aligned_stack(module: tvm.IRModule, target: tvm.target.Target) -> tvm.IRModule:
    """`module` with that in each function, where `target` has longer vectors than its stack."""
    bits = float_vector_bits(target)
    if bits <= ABI_BITS:
        return module
    lanes = bits // FLOAT_BITS
    return tvm.IRModule(
        {name.name_hint: _aligned(each, lanes) for name, each in module.functions.items()}
    )


def _aligned(function: tirx.PrimFunc, lanes: int) -> tirx.PrimFunc:
    vector = tirx.decl_buffer((1,), f"{FLOAT}x{lanes}", name="aligned")
    nothing = tirx.Broadcast(tirx.const(0, FLOAT), lanes)
    body = [
        tirx.AllocBuffer(vector, annotations=VOLATILE),
        tirx.BufferStore(vector, nothing, [0]),
        function.body,
    ]
    return function.with_body(tirx.SeqStmt(body))
