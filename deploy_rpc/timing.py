"""Times of modules that may be compared: taken in turns, so that noise falls on all alike."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deploy_rpc.session import LoadedModule

ROUNDS = 9


def interleaved_times_ms(
    modules: Mapping[str, LoadedModule], x: np.ndarray, rounds: int = ROUNDS
) -> dict[str, list[float]]:
    """`rounds` milliseconds for each module, in turns; an untimed run comes before each of them."""
    samples: dict[str, list[float]] = {name: [] for name in modules}
    for _ in range(rounds):
        for name, module in modules.items():
            samples[name] += module.time_ms(x, repeats=1, warmup=0)
    return samples
