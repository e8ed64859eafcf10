"""Tables are as wide as the terminal, or as told, and say what they were given to the letter."""

from __future__ import annotations

import pytest
from rich.table import Table

from model.console import PLAIN_WIDTH, table_console


def test_without_a_terminal_the_width_is_the_one_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "0")
    assert table_console().width == PLAIN_WIDTH
    assert table_console(200).width == 200


def test_on_a_terminal_it_is_the_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "93")
    assert table_console(200).width == 93


def test_brackets_and_colons_stand_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("[bold]")
    table.add_row("ldr q0, [x0, #16]")
    table.add_row("[/b] :cat:")
    table_console().print(table)
    out = capsys.readouterr().out
    assert all(text in out for text in ("[bold]", "ldr q0, [x0, #16]", "[/b] :cat:"))
