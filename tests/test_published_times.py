"""Times that others publish stand beside what the model says of the same engine and network."""

from __future__ import annotations

import pytest

from bench.committed_reports import committed_report
from bench.published_times import (
    PUBLISHED_TIMES,
    PublishedTime,
    published_and_modelled,
    published_table,
)
from bench.suites import SUITES
from model.console import table_console
from tests.report_rows import a_row, check_row

NCNN = a_row([40.0], suite="peers", engine="ncnn", kind="modelled", core="cortex-a72")


def test_cycles_are_the_time_at_the_clock() -> None:
    assert PublishedTime("board", "cortex-a72", 1800, 38.9).mcycles == pytest.approx(70.02)


def test_only_the_same_engine_network_and_core_are_compared() -> None:
    others = (
        {"engine": "mnn"}, {"model": "shufflenet-0.5x-g3"}, {"core": "neoverse-n1"},
        {"kind": "measured"}, {"input": "480x640"},
    )  # fmt: skip
    rows = [NCNN | {"median": 1.0} | other for other in others]
    assert list(published_and_modelled(rows)) == []
    compared = list(published_and_modelled([*rows, NCNN]))
    assert [each for each, _, _ in compared] == list(PUBLISHED_TIMES)
    for each, mcycles, factor in compared:
        assert (mcycles, factor) == (40, each.ms * each.clock_mhz / 40e3)


def test_the_committed_report_has_what_is_published() -> None:
    """Real boards take longer than the model says, which leaves out cache misses."""
    report = committed_report("peers", "cortex-a72")
    assert [1 < factor < 2 for _, _, factor in published_and_modelled(report.rows)] == [True, True]
    assert published_table(report.rows, report.name).row_count == 2


def test_the_model_check_prints_the_factor(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [check_row() | {"compiled_for": "haswell", "llvm_model": "znver3"}]
    table_console(160).print(SUITES["model-check"].table(rows))
    out = capsys.readouterr().out
    assert "published / modelled" in out
    assert "Raspberry Pi 4 Model B" in out
