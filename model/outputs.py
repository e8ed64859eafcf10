"""What networks give: tensors with names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from model.errors import InputError

T = TypeVar("T")


class SeveralOutputsError(InputError):
    """A network with several outputs where one is expected."""


@dataclass(frozen=True)
class Output:
    """One float32 tensor that a network gives.

    `stride` says of a feature map (N, C, H, W) how many pixels of the picture one step in it is;
    None of anything else.
    """

    name: str
    shape: tuple[int, ...]
    stride: int | None = None

    @property
    def values(self) -> int:
        """How many there are."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"{self.name} {'x'.join(map(str, self.shape))}"


def the_only(outputs: Sequence[T]) -> T:
    """The one of `outputs`; raises `SeveralOutputsError` where there are several."""
    if len(outputs) != 1:
        listed = ", ".join(str(each) for each in outputs if isinstance(each, Output))
        raise SeveralOutputsError(
            f"expected a network with one output, got one with {len(outputs)}"
            f"{f': {listed}' if listed else ''}"
        )
    return outputs[0]
