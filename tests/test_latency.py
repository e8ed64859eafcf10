"""The table of times compares every level with the first one, and with the one above."""

from __future__ import annotations

import io

from rich.console import Console

from compile.latency import Latency, latency_table


def latency(level: str, *samples: float, note: str | None = None) -> Latency:
    return Latency(level, "measured", "ms", "board local", 1, list(samples), note)


def shown(rows: list[Latency]) -> str:
    text = io.StringIO()
    Console(file=text, width=120).print(latency_table(rows))
    return text.getvalue()


def test_levels_are_compared_by_their_medians() -> None:
    rows = [latency("unfused", 8.0, 9.0, 7.0), latency("fused", 4.0), latency("tuned", 2.0)]
    over_first, over_above = ([*column.cells] for column in latency_table(rows).columns[-2:])
    assert over_first == ["1.00x", "2.00x", "4.00x"]
    assert over_above == ["1.00x", "2.00x", "2.00x"]
    assert "3 interleaved rounds" in shown(rows)


def test_cycles_are_called_modelled_and_keep_their_note() -> None:
    row = Latency("fused", "modelled", "Mcycles", "board modelled", 2, [5.0], "of one core")
    text = shown([row])
    assert "Modelled cycles of one inference, on board modelled" in text
    assert "of one core" in text
