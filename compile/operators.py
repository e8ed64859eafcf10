"""What the graph passes are there to remove: how many of each a graph holds."""

from __future__ import annotations

from collections import Counter

import tvm
from tvm import relax

from compile.passes.shuffle import SHUFFLE_AXES, SHUFFLE_AXES_OF_CHANNELS

KINDS = {
    "relax.nn.batch_norm": "batch norms",
    "relax.nn.relu": "ReLUs",
    "relax.add": "adds",
    "relax.concat": "concats",
    "relax.permute_dims": "copies",
}
SHUFFLES = "shuffles"
COUNTED = (SHUFFLES, *KINDS.values())


def count_operators(module: tvm.IRModule) -> dict[str, int]:
    """The number of operators of each kind of `COUNTED` in `main`.

    A transpose within a channel shuffle counts as the shuffle, any other one as a copy. What is
    inside a kernel no longer counts.
    """
    found: Counter[str] = Counter()

    def count(node: relax.Expr) -> None:
        if isinstance(node, tvm.ir.Call) and isinstance(node.op, tvm.ir.Op):
            kind = KINDS.get(node.op.name)
            if kind is not None:
                found[SHUFFLES if _is_of_a_shuffle(node) else kind] += 1

    relax.analysis.post_order_visit(module["main"], count)
    return {kind: found[kind] for kind in COUNTED}


def _is_of_a_shuffle(call: relax.Call) -> bool:
    if call.op.name != "relax.permute_dims":
        return False
    axes = tuple(int(axis) for axis in call.attrs.axes or ())
    return axes in (SHUFFLE_AXES, SHUFFLE_AXES_OF_CHANNELS)
