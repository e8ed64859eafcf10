"""Where tables are printed."""

from __future__ import annotations

from rich.console import Console

PLAIN_WIDTH = 120


def table_console(plain_width: int = PLAIN_WIDTH) -> Console:
    """As wide as the terminal, or of `plain_width` columns where there is none."""
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=plain_width)
