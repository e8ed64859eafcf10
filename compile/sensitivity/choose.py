"""Which layers to keep in float32, so that the logits are off by no more than a budget.

One after the other the layers are kept whose float32 takes most off the squared error for their
multiply-adds: a layer alone, which frees its weights, or with all that read what it gives, which is
then no longer rounded. In the end those go back to int8 that the budget does not need.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from compile.sensitivity.table import Sensitivity
from model.errors import InputError

AUTO = "auto:"
LEAST_SHARE = 1e-3  # of the multiply-adds, that a layer costs in any case: its conversions


class KeepFloatError(InputError):
    """A choice of layers that says nothing."""


@dataclass(frozen=True)
class KeepFloat:
    """`layers` by name, spans included; or those that an error within the `budget` takes."""

    layers: tuple[str, ...] = ()
    budget: float | None = None


def keep_float(text: str) -> KeepFloat:
    """`NAME[,FIRST..LAST]` or `auto:ERROR`; raises `KeepFloatError`."""
    if not text.startswith("auto"):
        layers = tuple(each.strip() for each in text.split(","))
        if not all(layers):
            raise KeepFloatError(f"expected names of layers between commas, got {text!r}")
        return KeepFloat(layers)
    try:
        budget = float(text.removeprefix(AUTO))
    except ValueError:
        budget = math.nan
    if not 0 <= budget < 1:
        raise KeepFloatError(f"expected {AUTO}ERROR with an error from 0 to 1, got {text!r}")
    return KeepFloat(budget=budget)


def layers_within(sensitivity: Sensitivity, budget: float) -> tuple[str, ...]:
    """The layers, in the order in which they run, without which the expected error is at most
    `budget`, a share of the logits' range, root mean square.
    """
    kept: tuple[str, ...] = ()
    for kept in steps_from_int8(sensitivity):
        if sensitivity.error(kept) <= budget:
            break
    for name in kept:
        without = tuple(other for other in kept if other != name)
        if sensitivity.error(without) <= budget:
            kept = without
    return kept


def steps_from_int8(sensitivity: Sensitivity) -> Iterator[tuple[str, ...]]:
    """The layers in float32, first none, then more and more, up to all."""
    kept: tuple[str, ...] = ()
    yield kept
    while len(kept) < len(sensitivity.layers):
        left = [layer for layer in sensitivity.layers if layer.name not in kept]
        choices = [c for layer in left for c in ((layer.name,), (layer.name, *layer.readers))]
        worth = functools.partial(_worth, sensitivity, kept)
        best = max(choices, key=worth)
        kept = tuple(name for name in sensitivity.names if name in kept or name in best)
        yield kept


def _worth(sensitivity: Sensitivity, kept: Collection[str], more: Collection[str]) -> float:
    """What keeping `more` takes off the squared error, for what they cost beyond those `kept`."""
    together = {*kept, *more}
    gain = sensitivity.error(kept) ** 2 - sensitivity.error(together) ** 2
    return gain / max(sensitivity.share(together) - sensitivity.share(kept), LEAST_SHARE)
