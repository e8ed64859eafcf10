"""A network on its way through the compiler, with the reference its builds are verified against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tvm

from model.outputs import Output, the_only


@dataclass(frozen=True)
class Network:
    """Canonical Relax and where it came from.

    `module` has one function `main`: float32 (N, C, H, W) in, the float32 tensors `outputs` out, a
    tensor or a tuple of them, convolutions as NCHW/OIHW, parameters bound. `references` maps the
    same input to the outputs it must have, and `reference_name` says who computes them.
    `provenance` goes into the build report as it is, and so do `notes`, which are for whoever
    builds it. `tolerance` is the largest error of a build as a share of the reference's range, by
    default that of the number format.
    """

    name: str
    module: tvm.IRModule
    input_shape: tuple[int, ...]
    outputs: tuple[Output, ...]
    preprocessing: str
    parameters: int
    references: Callable[[np.ndarray], Sequence[np.ndarray]]
    reference_name: str
    provenance: dict[str, Any]
    tolerance: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def output_shapes(self) -> list[tuple[int, ...]]:
        """Of all outputs, in order."""
        return [output.shape for output in self.outputs]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of the only output; raises `SeveralOutputsError` where there are several."""
        return the_only(self.outputs).shape

    def reference(self, x: np.ndarray) -> np.ndarray:
        """What the only output must be; raises `SeveralOutputsError` where there are several."""
        the_only(self.outputs)
        return the_only(self.references(x))

    def example_input(self, seed: int = 0) -> np.ndarray:
        """A seeded input in the range that the network's preprocessing makes, float32."""
        random = np.random.default_rng(seed)
        if self.preprocessing == "bgr255":
            return random.uniform(0, 255, self.input_shape).astype(np.float32)
        return random.standard_normal(self.input_shape).astype(np.float32)
