"""The two layouts of an activation, and the matrix that a kernel sees of it.

planes     (channels, pixels), that is NCHW: pixels lie in a vector's lanes
channels   (pixels, channels), that is NHWC: channels lie in a vector's lanes
"""

from __future__ import annotations

from typing import Literal

Layout = Literal["planes", "channels"]
LAYOUTS: tuple[Layout, ...] = ("planes", "channels")


def matrix_shape(layout: Layout, channels: int, pixels: int) -> tuple[int, int]:
    """The shape of the matrix of one picture's values."""
    return (channels, pixels) if layout == "planes" else (pixels, channels)
