"""What LLVM is kept from knowing, so that it leaves the pipes of the multiply-adds to them.

A core such as N1 adds, moves and stores vectors by the same two pipes that multiply, and loads by
others. Values in volatile memory on the stack are loaded as often as the code says:

    sums = [dup(B[m]), copy, copy, ..]        ->   sums = [load(S[m]), load(S[m]), load(S[m]), ..]
    str q0, [y, 3136]; str q1, [y, 3152]      ->   p = y + channel * hidden(784);  stp q0, q1, [p]

On the right of the second line LLVM cannot address one row of the output from another, from where
pairs of vectors would be out of reach. In LLVM's model of an N1 a pair takes both pipes once, each
of two single stores does.

Modelled on an N1, thousands of cycles of (groups, M, K, N), best tile without and with both
(2026-11-26): (3, 72, 20, 784) 492 / 472, (1, 60, 24, 3136) 628 / 616, (3, 40, 80, 784) 988 / 972,
(3, 80, 40, 196) 257 / 252. Where the start of a tile is a block of its own, loads alone gain
nothing: they hide behind multiply-adds, so some step has to be peeled. The stem takes 1260 instead
of 1268 there, 2229 instead of 2265 on an A72.
"""

from __future__ import annotations

from tvm import tirx
from tvm.script.ir_builder import tirx as T

VOLATILE = {"tirx.volatile": True}
MOST_BYTES = 4096  # of a stack: what lies elsewhere is not volatile
FLOAT_BYTES = 4


def can_spread(count: int, lanes: int) -> bool:
    """Whether `count` biases, each once a lane, fit on the stack."""
    return count * lanes * FLOAT_BYTES <= MOST_BYTES


def spread(bias: tirx.Buffer, first: tirx.Expr | int, count: int, lanes: int) -> tirx.Buffer:
    """S (count, lanes), filled with the `count` biases from the `first` on, each once a lane."""
    filled = T.alloc_buffer((count, lanes), str(bias.dtype), annotations=VOLATILE)
    with T.serial(count) as output, T.vectorized(lanes) as lane:
        T.buffer_store(filled, bias[first + output], [output, lane])
    return filled


def hidden(value: int) -> tirx.Expr:
    """`value`, loaded from where LLVM does not know it."""
    kept = T.alloc_buffer((1,), "int32", annotations=VOLATILE)
    T.buffer_store(kept, value, [0])
    return T.bind(kept[0])
