"""The scatter of the model check: every schedule, the pick, and the factor all share."""

from __future__ import annotations

from bench.report_page.model_check import model_check_blocks, scatter
from tests.report_rows import a_report, check_row


def test_every_schedule_is_a_dot_and_the_models_pick_stands_out() -> None:
    plot = scatter(check_row())
    assert [point.tone for point in plot.points] == ["kind2", *4 * ["kind1"]]
    assert plot.points[0].text == "schedule 0: 100.0 modelled kcycles, 40.00 us measured"


def test_the_line_is_the_shared_factor() -> None:
    plot = scatter(check_row())
    (line,) = plot.lines
    assert plot.x.start <= line.x1 < line.x2 <= plot.x.end
    assert plot.y.end <= line.y2 < line.y1 <= plot.y.start


def test_a_factor_that_passes_beside_all_dots_is_not_drawn() -> None:
    assert scatter(check_row() | {"ns_per_cycle": 1e6}).lines == []


def test_each_kernel_has_a_scatter_and_a_row() -> None:
    rows = [check_row(), check_row() | {"kernel": "depthwise"}]
    (block,) = model_check_blocks(a_report(*rows), rows)
    assert [figure.title.split(":")[0] for figure in block.figures] == ["stem", "depthwise"]
    assert len(block.tables[0].rows) == 2
