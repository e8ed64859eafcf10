"""What a network is calibrated on: pictures, or where there are none, noise that resembles them.

Natural pictures have most of their power at low frequencies, where white noise has none: the noise
here is a sum of octaves, each half as fine and twice as strong as the one before, the same over all
three colours but for a part, and stretched to the range of values that the network expects.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from compile.network import Network

SYNTHETIC_INPUTS = 16
SHARED_BY_COLOURS = 0.8
SPREAD = 2.2  # standard deviations of a normalised picture, either side of grey


def synthetic_inputs(network: Network, count: int = SYNTHETIC_INPUTS) -> Iterator[np.ndarray]:
    """`count` seeded inputs of the network's shape and preprocessing, float32."""
    for seed in range(count):
        unit = _noise(np.random.default_rng(seed), network.input_shape)
        if network.preprocessing == "bgr255":
            yield (unit * 255).astype(np.float32)
        else:
            yield ((unit * 2 - 1) * SPREAD).astype(np.float32)


def _noise(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """(N, C, H, W) from 0 to 1, with contrast that differs from picture to picture."""
    _, channels, rows, columns = shape
    colours = np.stack([_octaves(random, rows, columns) for _ in range(channels)])
    shared = _octaves(random, rows, columns)
    mixed = SHARED_BY_COLOURS * shared + (1 - SHARED_BY_COLOURS) * colours
    low, high = mixed.min(), mixed.max()
    stretched = (mixed - low) / (high - low or 1.0)
    return stretched[np.newaxis]


def _octaves(random: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    total = np.zeros((rows, columns))
    cells = 1
    while cells <= max(rows, columns):
        coarse = random.standard_normal((cells + 1, cells + 1))
        total += _stretched(coarse, rows, columns) / cells
        cells *= 2
    return total


def _stretched(coarse: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """`coarse`, linear in between, at rows x columns places."""
    down = np.linspace(0, len(coarse) - 1, rows)
    across = np.linspace(0, coarse.shape[1] - 1, columns)
    lines = np.stack([np.interp(across, np.arange(coarse.shape[1]), line) for line in coarse])
    upper = np.minimum(down.astype(int), len(coarse) - 2)
    part = (down - upper)[:, np.newaxis]
    return lines[upper] * (1 - part) + lines[upper + 1] * part
