"""Records of MetaSchedule's space hold what they need to be replayed, and reach no build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compile.tuning.auto_record import auto_record, fault_of_auto, kernel_text, trial_of
from compile.tuning.auto_search import AutoTrial
from compile.tuning.candidate import Examined
from compile.tuning.decisions import is_default, recorded_decisions
from compile.tuning.experience import lessons_of
from compile.tuning.log import TuningLog
from compile.tuning.record import Record, parse_record, record_line
from compile.tuning.verify import faults_of
from tests.auto_searches import TINY, WHERE, split_trace
from tests.cores import A72


def a_record(**changed: Any) -> Record:  # noqa: ANN401
    """Of a schedule of `TINY`."""
    made = auto_record(TINY, AutoTrial(split_trace(2), Examined("ok", (1000.0,))), WHERE)
    return Record(**{**vars(made), **changed})


def test_a_record_is_the_same_after_it_was_a_line() -> None:
    record = a_record()
    assert parse_record(record_line(record)) == record
    assert trial_of(record) == AutoTrial(split_trace(2), Examined("ok", (1000.0,)))
    assert record.workload == {"kernel": kernel_text(TINY)}


def test_a_sound_record_is_replayed_without_a_fault() -> None:
    assert faults_of([a_record(), a_record(outcome="wrong answer", samples=())]) == [None, None]


@pytest.mark.parametrize(
    "changed",
    [
        {"workload": {}},
        {"workload": {"kernel": "no base64"}},
        {"workload": {"kernel": "AAAA"}},
        {"decisions": {"trace": []}},
        {"decisions": {"trace": [[["NoSuchStep", [], [], []]], []]}},
    ],
)
def test_a_record_that_cannot_be_replayed_is_a_fault(changed: dict[str, Any]) -> None:
    assert "not a schedule of a kernel" in fault_of_auto(a_record(**changed))


def test_a_schedule_that_answers_wrong_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "compile.tuning.auto_record.error_of_schedule", lambda scheduled, plain: 0.5
    )
    assert fault_of_auto(a_record()) == "wrong answer: 5.0e-01 of the range away"


def test_builds_and_other_searches_do_not_see_them(tmp_path: Path) -> None:
    TuningLog(tmp_path / "cortex-a72" / "auto" / "net.jsonl").append([a_record()])
    assert recorded_decisions(tmp_path, A72).digests == {}
    assert lessons_of([tmp_path], tmp_path / "other.jsonl") == []
    assert not is_default(a_record())
