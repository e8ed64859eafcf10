"""Speedups over AlexNet: the fastest engine of each network, beside the paper and the goals."""

from __future__ import annotations

from bench.report_page.content import Block
from bench.report_page.speedup import goal, speedup_blocks
from tests.report_rows import a_report, a_row, table8_rows


def the_block(*rows: dict) -> Block:
    (block,) = speedup_blocks(a_report(*rows), rows)
    return block


def test_each_network_is_taken_by_its_fastest_engine() -> None:
    engines = [(row[1], row[2]) for row in the_block(*table8_rows()).tables[0].rows]
    assert engines == [
        ("shufflenet-0.5x-g3", "shufflenet-compiled fused"),
        ("alexnet", "onnxruntime fused"),
        ("shufflenet-0.5x-g3", "shufflenet-compiled fused"),
        ("alexnet", "shufflenet-compiled fused"),
    ]


def test_a_goal_missed_is_shown_as_missed() -> None:
    goals = [goal(row) for row in table8_rows() if row["fastest"]]
    assert goals == ["25x, met", "-", "17x, missed by 1.0", "-"]


def test_a_chart_of_each_input_holds_the_papers_factor() -> None:
    charts = the_block(*table8_rows()).figures
    assert [chart.title.split()[-1] for chart in charts] == ["224x224", "480x640"]
    ours, paper = charts[0].bars
    assert (ours.value, paper.value) == ("27.00x", "12.10x")
    assert (ours.tone, paper.tone) == ("ours", "paper")
    assert "measured: shufflenet-0.5x-g3, shufflenet-compiled: 27.00x" in charts[0].description


def test_the_factors_stand_with_interval_and_the_papers_time() -> None:
    first, alexnet, *_ = the_block(*table8_rows()).tables[0].rows
    assert first[3:] == [
        "2.000 ms", "27.00x", "26.00x to 28.00x", "18.90x", "25x, met", "12.10x", "15.20",
    ]  # fmt: skip
    assert alexnet[4:6] == ["1.00x", "-"]


def test_every_engine_is_in_the_second_table() -> None:
    rows = table8_rows()
    table = the_block(*rows).tables[1]
    assert [column.heading for column in table.columns] == [
        "model", "input", "engine", "median, ms",
    ]  # fmt: skip
    assert len(table.rows) == len(rows)


def test_alexnet_alone_has_no_chart() -> None:
    assert the_block(*table8_rows()[2:4]).figures == []


def test_rows_without_a_fastest_one_are_still_shown() -> None:
    block = the_block(a_row(suite="table8", model="shufflenet-0.5x-g3"))
    assert block.figures == []
    assert len(block.tables) == 1
