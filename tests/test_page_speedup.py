"""Speedups over AlexNet: the fastest engine of each network, beside the paper and the goals."""

from __future__ import annotations

import pytest

from bench.report_page.speedup import fastest, speedup_blocks
from tests.report_rows import a_report, a_row, table8_rows


def test_each_network_is_taken_by_its_fastest_engine() -> None:
    small, alexnet = fastest(table8_rows())[:2]
    assert (small.row["engine"], alexnet.row["engine"]) == ("shufflenet-compiled", "onnxruntime")
    assert small.speedup == pytest.approx(54.0 / 2.0)
    assert small.paper == pytest.approx(184.0 / 15.2)
    assert alexnet.speedup == 1


def test_a_goal_missed_is_shown_as_missed() -> None:
    goals = {(each.row["model"], each.input): each.goal for each in fastest(table8_rows())}
    assert goals["shufflenet-0.5x-g3", "224x224"] == "25x, met"
    assert goals["shufflenet-0.5x-g3", "480x640"] == "17x, missed by 1.0"
    assert goals["alexnet", "480x640"] == "-"


def test_a_chart_of_each_input_holds_the_papers_factor() -> None:
    rows = table8_rows()
    (block,) = speedup_blocks(a_report(*rows), rows)
    assert [chart.title.split()[-1] for chart in block.figures] == ["224x224", "480x640"]
    ours, paper = block.figures[0].bars
    assert (ours.value, paper.value) == ("27.00x", "12.11x")
    assert (ours.tone, paper.tone) == ("ours", "paper")
    assert len(block.tables[1].rows) == len(rows)


def test_alexnets_own_input_is_named() -> None:
    rows = table8_rows()
    (block,) = speedup_blocks(a_report(*rows), rows)
    assert [row[0] for row in block.tables[0].rows][:2] == ["224x224", "224x224 (227x227)"]


def test_without_alexnet_there_is_no_factor_and_the_block_says_so() -> None:
    rows = [a_row(suite="table8", model="shufflenet-0.5x-g3", note="AlexNet pools first")]
    (block,) = speedup_blocks(a_report(*rows), rows)
    assert block.figures == []
    assert block.notes == [
        "AlexNet pools first",
        "no factor at 224x224: the report has no AlexNet",
    ]
