"""Where tables are printed."""

from __future__ import annotations

from rich.console import Console

PLAIN_WIDTH = 120


def table_console(plain_width: int = PLAIN_WIDTH) -> Console:
    """As wide as the terminal, or of `plain_width` columns where there is none.

    Texts stand as they are: a class may be called `[/b]`, an operand is `[x0, #16]`.
    """
    terminal = Console(markup=False, emoji=False)
    if terminal.is_terminal:
        return terminal
    return Console(markup=False, emoji=False, width=plain_width)
