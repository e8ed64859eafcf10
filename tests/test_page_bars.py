"""Bars are as long as their values, one chart for what can be compared."""

from __future__ import annotations

import pytest

from bench.report_page.bar_suites import BAR_SUITES, of_ours, over_first
from bench.report_page.bars import FULL_WIDTH, LABEL_LETTERS, Item, bar_chart, charts_by
from tests.report_rows import a_row


def test_a_bars_length_is_its_value() -> None:
    chart = bar_chart("times", "told", [Item("a", 4.0, "4 ms", "ours"), Item("b", 1.0, "1 ms", "")])
    assert [bar.width for bar in chart.bars] == [FULL_WIDTH, FULL_WIDTH / 4]
    assert chart.bars[0].y < chart.bars[1].y < chart.height


def test_a_long_label_takes_several_lines_and_their_room() -> None:
    short, long = (
        bar_chart("", "", [Item(label, 1.0, "", "")]) for label in ("short", "very long label " * 6)
    )
    (bar,) = long.bars
    assert len(bar.label) > 1
    assert max(len(line) for line, _ in bar.label) <= LABEL_LETTERS
    assert [baseline for _, baseline in bar.label] == sorted(baseline for _, baseline in bar.label)
    assert bar.label[-1][1] < bar.y
    assert long.height > short.height


def test_only_what_agrees_in_the_columns_and_the_unit_shares_a_chart() -> None:
    rows = [
        a_row(level="stock"),
        a_row(level="fused"),
        a_row(level="fused", unit="Mcycles"),
        a_row(level="stock", model="alexnet"),
        a_row(level="fused", model="alexnet"),
    ]
    charts = charts_by(rows, by=("model",), label=("level",))
    assert [chart.title for chart in charts] == ["shufflenet-1.0x-g3", "alexnet"]
    assert [bar.label[0][0] for bar in charts[0].bars] == ["stock", "fused"]


def test_the_description_says_every_value_with_unit_and_kind() -> None:
    rows = [a_row([60.0], level="stock"), a_row([2.0], level="fused")]
    (chart,) = BAR_SUITES["fusion"].charts(rows)
    assert chart.description == "measured: stock: 60.00 ms; fused: 2.000 ms (30.00x)"
    assert [bar.tone for bar in chart.bars] == ["base", "ours"]


def test_threads_are_compared_with_the_first_row() -> None:
    rows = [a_row([4.0], threads=1), a_row([2.0], threads=2)]
    (chart,) = BAR_SUITES["threads"].charts(rows)
    assert [(bar.label[0][0], bar.value) for bar in chart.bars] == [
        ("1 thread", "4.000 ms"),
        ("2 threads", "2.000 ms (2.00x)"),
    ]


def test_other_engines_are_compared_with_ours() -> None:
    ours, other = a_row([2.0]), a_row([3.0], engine="ncnn")
    assert of_ours(other, [ours, other]) == "1.50x"
    assert of_ours(ours, [ours, other]) == of_ours(other, [other]) == ""
    assert over_first(ours, [other, ours]) == "1.50x"


@pytest.mark.parametrize("suite", BAR_SUITES)
def test_a_suite_of_one_row_has_no_chart(suite: str) -> None:
    assert BAR_SUITES[suite].charts([a_row()]) == []
