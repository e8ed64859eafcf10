"""Numbers as text: four digits that count, with their unit."""

from __future__ import annotations

LEAST_IN_DECIMALS = 0.01  # below, four decimals would be few digits or none


def number(value: float) -> str:
    """`value` with four digits that count, three of a small one; from a thousand on in full."""
    size = abs(value)
    if isinstance(value, int) or size >= 1000 or size == 0:
        return f"{round(value):,}"
    if size < LEAST_IN_DECIMALS:
        return f"{value:.3g}"
    decimals = 1 if size >= 100 else 2 if size >= 10 else 3 if size >= 1 else 4
    return f"{value:.{decimals}f}"


def quantity(value: float, unit: str) -> str:
    """`value` with its unit."""
    return f"{number(value)} {unit}"


def ratio(value: float) -> str:
    """A factor, as 1.23x."""
    return f"{value:,.2f}x" if abs(value) < 100 else f"{value:,.0f}x"


def percent(value: float) -> str:
    """A share, as 12.3 %."""
    return f"{100 * value:.1f} %"
