"""A network on its way through the compiler, with the reference its builds are verified against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tvm


@dataclass(frozen=True)
class Network:
    """Canonical Relax and where it came from.

    `module` has one function `main`: float32 (N, C, H, W) in, one float32 tensor out, convolutions
    as NCHW/OIHW, parameters bound. `reference` maps the same input to the output it must have, and
    `reference_name` says who computes it. `provenance` goes into the build report as it is.
    """

    name: str
    module: tvm.IRModule
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    preprocessing: str
    parameters: int
    reference: Callable[[np.ndarray], np.ndarray]
    reference_name: str
    provenance: dict[str, Any]

    def example_input(self, seed: int = 0) -> np.ndarray:
        """A seeded input in the range that the network's preprocessing makes, float32."""
        random = np.random.default_rng(seed)
        if self.preprocessing == "bgr255":
            return random.uniform(0, 255, self.input_shape).astype(np.float32)
        return random.standard_normal(self.input_shape).astype(np.float32)
