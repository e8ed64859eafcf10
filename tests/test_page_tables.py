"""The table of any rows: units in the headings, no column that says the same in every row."""

from __future__ import annotations

from bench.report_page.tables import rows_table
from tests.report_rows import a_row


def headings(*rows: dict) -> list[str]:
    return [column.heading for column in rows_table(rows).columns]


def test_only_what_differs_is_a_column() -> None:
    rows = [a_row(level="stock"), a_row(level="fused")]
    assert headings(*rows) == ["level", "median, ms", "least to most"]


def test_what_all_rows_share_stands_in_the_caption() -> None:
    rows = [a_row(level=level, macs=137_460_672, fair=True) for level in ("stock", "fused")]
    assert rows_table(rows).caption == "In all rows: M MACs 137.5, fair True"


def test_rows_of_several_units_carry_them_in_every_cell() -> None:
    table = rows_table([a_row([1.5], unit="ms"), a_row([9.5], unit="MB")])
    assert [row[-1] for row in table.rows] == ["1.500 ms", "9.500 MB"]


def test_an_interval_replaces_the_spread() -> None:
    table = rows_table([a_row(interval=[1.0, 1.2]), a_row([2.0], interval=None)])
    assert [column.heading for column in table.columns] == ["median, ms", "95 % interval"]
    assert [row[-1] for row in table.rows] == ["1.000 to 1.200", "-"]


def test_fields_nobody_knows_are_shown_with_the_unit_in_their_name() -> None:
    rows = [
        a_row(import_ms=3.25, l1_misses=1_316_912, peak_share=0.5, sky="blue", inner={"a": 1}),
        a_row(import_ms=None, l1_misses=1000, peak_share=0.25, sky="grey", inner={"a": 2}),
    ]
    assert headings(*rows)[2:] == ["import, ms", "k L1 misses", "peak share", "sky"]
    first, second = (row[2:] for row in rows_table(rows).rows)
    assert first == ["3.250", "1,317", "50.0 %", "blue"]
    assert second == ["-", "1.000", "25.0 %", "grey"]
