"""The layers of a network that int8 has kernels for, by names that a user can give.

    pointwise1 .. pointwise32, depthwise1 .., avgpool1 .., stem1, dense1

are counted in the order in which they run. `A..B` are all layers from A to B. Max pools and concats
have no names: they are of int8 as what they read is.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence

from model.errors import InputError

SPAN = ".."
NAMES = {  # by the kind of a step
    "pointwise": "pointwise",
    "channelwise": "depthwise",
    "mean": "avgpool",
    "stem": "stem",
    "dense": "dense",
}


class LayerNameError(InputError):
    """A layer that the network does not have."""


class LayerNames:
    """Gives the layers their names, one after the other."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def next(self, kind: str) -> str | None:
        """That of the next layer of `kind`; None for what has no name, as it computes nothing."""
        if kind not in NAMES:
            return None
        self._counts[kind] += 1
        return f"{NAMES[kind]}{self._counts[kind]}"


def chosen_layers(wanted: Iterable[str], names: Sequence[str]) -> frozenset[str]:
    """Those of `names`, which are in order, that `wanted` names, spans included.

    Raises `LayerNameError`.
    """
    chosen: set[str] = set()
    for each in wanted:
        first, _, last = each.partition(SPAN)
        begin = _place(first, names)
        end = _place(last, names) if last else begin
        if end < begin:
            raise LayerNameError(f"expected FIRST{SPAN}LAST, but {last} runs before {first}")
        chosen.update(names[begin : end + 1])
    return frozenset(chosen)


def _place(name: str, names: Sequence[str]) -> int:
    if name in names:
        return names.index(name)
    near = difflib.get_close_matches(name, names, 3) or [*names[:3], "..", *names[-2:]]
    raise LayerNameError(
        f"no layer {name!r} that int8 has a kernel for; there are {len(names)}, for example "
        f"{', '.join(near)}: --sensitivity lists them"
    )
