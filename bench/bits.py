"""Whether answers agree to the last bit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def same_bits(answers: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> bool:
    """Whether each of `answers` has the bits of its other, the sign of a nought included."""
    return all(y.tobytes() == z.tobytes() for y, z in zip(answers, others, strict=True))
