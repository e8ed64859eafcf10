"""The table: each layer's share of the error, which add up as squares, and of the arithmetic."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from rich.table import Table

KEPT_MARK = "float32"


@dataclass(frozen=True)
class LayerCost:
    """What int8 costs by one layer, all else being float32.

    Errors are of the logits, root mean square, as a share of their range; `changed` counts pictures
    whose class is another one. `weights_*` are of its weights rounded (of a stem its picture, too,
    of a dense layer the means of its pool), `output_*` of what it gives rounded. That is rounded
    as long as the layer or one of its `readers` is of int8.
    """

    name: str
    what: str
    macs: int
    readers: tuple[str, ...]
    weights_error: float
    weights_changed: int
    output_error: float
    output_changed: int

    @property
    def error(self) -> float:
        """Of both."""
        return math.hypot(self.weights_error, self.output_error)


@dataclass(frozen=True)
class Sensitivity:
    """The layers in the order in which they run, seen on so many `pictures`.

    `macs` are those of the whole network.
    """

    layers: tuple[LayerCost, ...]
    pictures: int
    macs: int

    @property
    def names(self) -> list[str]:
        """Of all layers."""
        return [layer.name for layer in self.layers]

    def error(self, kept: Collection[str] = ()) -> float:
        """What is to be expected of the logits with the layers `kept` in float32: errors that have
        nothing to do with each other add up as squares.
        """
        total = 0.0
        for layer in self.layers:
            if layer.name not in kept:
                total += layer.weights_error**2
            if layer.name not in kept or any(reader not in kept for reader in layer.readers):
                total += layer.output_error**2
        return math.sqrt(total)

    def share(self, kept: Collection[str]) -> float:
        """Of the multiply-adds, what the layers `kept` take."""
        return sum(layer.macs for layer in self.layers if layer.name in kept) / max(self.macs, 1)


def sensitivity_table(sensitivity: Sensitivity, kept: Collection[str] = ()) -> Table:
    """For a reader; layers `kept` are marked."""
    table = Table("layer", "computes", title="What int8 costs, by layer", title_justify="left")
    for column in ("of MACs", "weights", "changed", "output", "changed", "kept"):
        table.add_column(column, justify="right")
    for layer in sensitivity.layers:
        table.add_row(
            layer.name,
            layer.what,
            f"{layer.macs / max(sensitivity.macs, 1):.1%}",
            f"{layer.weights_error:.4f}",
            str(layer.weights_changed),
            f"{layer.output_error:.4f}",
            str(layer.output_changed),
            KEPT_MARK if layer.name in kept else "",
        )
    table.caption = (
        "error of the logits, root mean square as a share of their range, with the layer's weights "
        f"or its output alone rounded; changed: classes of {sensitivity.pictures} pictures"
    )
    return table
