"""A search shows a table at a terminal, and lines elsewhere."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from compile.schedules.templates import made_by_default
from compile.targets import parse_target
from compile.tuning.display import Display, print_result, search_table
from compile.tuning.log import TuningLog
from compile.tuning.task import Task
from compile.tuning.trial import Where
from compile.tuning.tuner import Step, Tuner
from deploy_rpc.board_spec import parse_board
from tests.cores import A72
from tests.tuning_records import TILES, WORKLOAD

STEP = Step("cheap", 10, 4.0, 5000.0)


@pytest.fixture
def tuner(tmp_path: Path) -> Tuner:
    """Two kernels of the same workload; the dear one got twice as fast and is called thrice."""
    made = made_by_default(WORKLOAD, A72, 1)
    tasks = [Task(name, made, calls, WORKLOAD.macs) for name, calls in (("cheap", 1), ("dear", 3))]
    where = Where(parse_target("arm_cpu"), "arm_cpu", parse_board("modelled:cortex-a72"), A72)
    tuner = Tuner(tasks, where, NoExaminer(), TuningLog(tmp_path / "net.jsonl"))
    cheap, dear = tuner.progress
    cheap.tried = cheap.scores = {TILES[0]: 2000.0}
    dear.tried = dear.scores = {TILES[0]: 4000.0, TILES[1]: 2000.0}
    return tuner


class NoExaminer:
    kind, unit, batch = "modelled", "cycles", 8


def shown(tuner: Tuner, terminal: bool, step: Step = STEP, height: int = 30) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=120, height=height)
    with Display(tuner, 30, "cycles", A72, console) as display:
        display.report(step)
    return file.getvalue()


def test_without_a_terminal_a_batch_is_one_plain_line(tuner: Tuner) -> None:
    assert shown(tuner, terminal=False) == (
        "   10/30 trials,    0.005 M modelled cycles, 2.5 trials/s, at most 0:00:08 left (cheap)\n"
    )


def test_a_resumed_search_has_no_rate_yet(tuner: Tuner) -> None:
    line = shown(tuner, terminal=False, step=Step("defaults", 0, 0.1, 5000.0))
    assert "0.0 trials/s, resumed (defaults)" in line


def test_more_trials_than_were_asked_for_leave_no_time(tuner: Tuner) -> None:
    line = shown(tuner, terminal=False, step=Step("defaults", 40, 4.0, 5000.0))
    assert "at most 0:00:00 left" in line


def test_at_a_terminal_a_table_lives_with_the_dearest_kernel_first(tuner: Tuner) -> None:
    text = shown(tuner, terminal=True)
    assert text.index("dear") < text.index("cheap")
    assert "2.000x" in text
    assert "75.0%" in text
    assert "10/30 trials" in text


def test_a_low_terminal_shows_the_dearest_kernels_only(tuner: Tuner) -> None:
    assert search_table(tuner, "cycles", A72, 1).row_count == 1
    assert "10/30 trials" in shown(tuner, terminal=True, height=5)


def test_cycles_are_told_as_a_share_of_the_peak_and_seconds_are_not(tuner: Tuner) -> None:
    share = WORKLOAD.macs / 2000.0 / A72.macs_per_cycle
    assert f"{share:.1%}" in shown(tuner, terminal=True)
    assert search_table(tuner, "s", A72, 2).columns[7].header == "GMAC/s"


def test_the_result_names_the_sum(tuner: Tuner, capsys: pytest.CaptureFixture[str]) -> None:
    print_result(tuner, "cycles", A72)
    assert "0.014 M modelled cycles -> 0.008 M modelled cycles (1.750x)" in capsys.readouterr().out
