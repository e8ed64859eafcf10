"""What a core is asked to bring into its caches before it is read; no address is an error."""

from __future__ import annotations

from tvm import tirx
from tvm.script.ir_builder import tirx as T

# Of llvm.prefetch: not to write, this locality, data.
PREFETCH_TO_READ_FROM_L1, PREFETCH_TO_READ_FROM_L2 = (0, 3, 1), (0, 2, 1)


def prefetch(address: tirx.Expr, how: tuple[int, int, int]) -> None:
    """The line at `address`."""
    T.evaluate(T.call_llvm_intrin("void", "llvm.prefetch", address, *how))
