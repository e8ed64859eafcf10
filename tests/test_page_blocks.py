"""Rows under the same conditions stand in one block, in the order of their first rows."""

from __future__ import annotations

from bench.report_page.blocks import grouped, heading, plain_blocks
from tests.report_rows import a_report, a_row


def test_rows_are_grouped_in_the_order_of_their_first_ones() -> None:
    rows = [a_row(core="b"), a_row(core="a"), a_row(core="b", level="stock")]
    assert [[row["level"] for row in group] for group in grouped(rows)] == [
        ["fused", "stock"],
        ["fused"],
    ]


def test_measured_and_modelled_rows_never_share_a_block() -> None:
    rows = [a_row(), a_row([38.5], kind="modelled", unit="Mcycles")]
    blocks = list(plain_blocks(a_report(*rows, name="both.json"), rows))
    assert [(block.kind, block.source) for block in blocks] == [
        ("measured", "both.json"),
        ("modelled", "both.json"),
    ]
    assert [len(block.tables[0].rows) for block in blocks] == [1, 1]


def test_a_target_that_is_a_core_is_named_once() -> None:
    assert heading([a_row()]) == "host (skylake)"
    assert heading([a_row(target="cortex-a72", core="cortex-a72")]) == "cortex-a72"
