"""What the page is made of: sections of blocks of figures and tables, without any markup.

Every place in a figure is in percent of its width or height, so that a figure takes the width of
the window and its text keeps the size of the page's. `form` names the template that draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bench.report_page.scales import Axis


@dataclass(frozen=True)
class Column:
    """A table's column: numbers are set to the right."""

    heading: str
    is_number: bool


@dataclass(frozen=True)
class Table:
    """Cells as text; a total's row, where there is one, comes last."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    has_total: bool = False


@dataclass(frozen=True)
class Bar:
    """`tone` names its colour, `y` is its top in pixels; a line of the label has its baseline."""

    label: Sequence[tuple[str, int]]
    value: str
    width: float
    tone: str
    y: int


@dataclass(frozen=True)
class BarChart:
    """Horizontal bars from nought, each under its label, its value at its end."""

    form: ClassVar[str] = "bars"
    title: str
    description: str
    bars: Sequence[Bar]
    thickness: int
    height: int
    legend: Sequence[tuple[str, str]] = ()  # tone and text


@dataclass(frozen=True)
class Point:
    """A dot: `radius` in pixels, `text` what pointing at it shows."""

    x: float
    y: float
    radius: float
    tone: str
    text: str


@dataclass(frozen=True)
class Line:
    """A straight line; its label stands over the end of a level one, else beside the middle."""

    x1: float
    y1: float
    x2: float
    y2: float
    label: str = ""

    @property
    def is_level(self) -> bool:
        """Whether it runs from left to right at one height."""
        return self.y1 == self.y2

    @property
    def middle(self) -> tuple[float, float]:
        """Half way."""
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2


@dataclass(frozen=True)
class Plot:
    """Dots over two axes, with lines that they are held against."""

    form: ClassVar[str] = "plot"
    title: str
    description: str
    x: Axis
    y: Axis
    points: Sequence[Point]
    lines: Sequence[Line]
    legend: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Segment:
    """A stretch of time: how wide, how high, and what it is."""

    x: float
    width: float
    height: float
    tone: str
    text: str


@dataclass(frozen=True)
class Timeline:
    """Segments side by side, in order."""

    form: ClassVar[str] = "timeline"
    title: str
    description: str
    segments: Sequence[Segment]
    legend: Sequence[tuple[str, str]]


Figure = BarChart | Plot | Timeline


@dataclass(frozen=True)
class Block:
    """What one report, kept in the file `source`, says under one set of conditions."""

    heading: str
    kind: str
    conditions: str
    source: str
    figures: Sequence[Figure]
    tables: Sequence[Table]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Section:
    """All blocks of one suite."""

    name: str
    title: str
    lead: str
    blocks: Sequence[Block]
