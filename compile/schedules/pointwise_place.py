"""Where a tile of a grouped 1x1 convolution lies, and the buffers that it reads and writes."""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx


@dataclass(frozen=True)
class Place:
    """Where a tile lies: its group, its index and first output within it, its first pixel."""

    group: tirx.Expr
    m_tile: tirx.Expr
    output: tirx.Expr
    n_tile: tirx.Expr
    pixel: tirx.Expr


@dataclass(frozen=True)
class Operands:
    """The kernel's buffers; without a shortcut it is None."""

    x: tirx.Buffer
    weights: tirx.Buffer
    bias: tirx.Buffer
    shortcut: tirx.Buffer | None
    y: tirx.Buffer
