"""What a soak of the tuner comes to is told from what was seen, said and recorded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from compile.tuning.log import TuningLog
from compile.tuning.record import Record
from tests.soak.farm import TEMPORARY
from tests.soak.judgement import LOGS, Fault, Judgement, judge
from tests.soak.usage import SoakError, Usage, usage_of
from tests.tuning_records import record

SAID = ("30 kernels on tracker://here", "    1/1000000 trials, 1 ms", "    2/1000000 trials, 1 ms")


def fault(at_s: float, memory: int = 700, files: int = 20, what: str = "agent killed") -> Fault:
    return Fault(what, at_s, at_s, 1, Usage(memory, 11, files), 800, temporary_files=25)


def judged(
    folder: Path,
    faults: Sequence[Fault] = (),
    said: Sequence[str] = SAID,
    records: Sequence[Record] = (),
) -> Judgement:
    log = TuningLog(folder / LOGS / "core" / "net.jsonl")
    log.path.parent.mkdir(parents=True)
    (folder / TEMPORARY).mkdir()
    log.append(list(records) or [record(0), record(1)])
    return judge(faults, said, folder)


def test_a_soak_without_loss_passes(tmp_path: Path) -> None:
    found = judged(tmp_path, [fault(at_s) for at_s in range(8)])
    found.check()
    assert (found.report["lost"], found.report["records"]) == (0, 2)
    assert found.report["recovery"] == {
        "agent killed": {"times": 8, "median_s": 3.5, "longest_s": 7}
    }


def test_a_trial_without_a_record_is_lost(tmp_path: Path) -> None:
    found = judged(tmp_path, said=[*SAID, "    3/1000000 trials, 1 ms"])
    assert found.report["lost"] == 1
    with pytest.raises(SoakError, match="lost"):
        found.check()


def test_a_trial_recorded_twice_is_told(tmp_path: Path) -> None:
    found = judged(tmp_path, said=SAID[:2], records=[record(0), record(0)])
    assert (found.report["twice"], found.report["lost"]) == (1, 0)
    with pytest.raises(SoakError, match="twice"):
        found.check()


def test_a_board_that_was_set_aside_fails_the_soak(tmp_path: Path) -> None:
    with pytest.raises(SoakError, match="boards"):
        judged(tmp_path, said=[*SAID, "board 1 is set aside; look"]).check()


@pytest.mark.parametrize(
    ("faults", "grew"),
    [
        ([fault(at_s, memory=700 + 10 * at_s) for at_s in range(16)], ["tuner_memory"]),
        ([fault(at_s, files=20 + at_s) for at_s in range(8)], ["tuner_files"]),
    ],
)
def test_what_grows_from_fault_to_fault_is_named(
    faults: Sequence[Fault], grew: Sequence[str], tmp_path: Path
) -> None:
    found = judged(tmp_path, faults)
    assert found.report["grew"] == grew
    with pytest.raises(SoakError, match="grew"):
        found.check()


def test_temporary_files_that_are_left_are_named(tmp_path: Path) -> None:
    judged(tmp_path)
    (tmp_path / TEMPORARY / "kernel.so").touch()
    assert judge([], SAID, tmp_path).report["left"] == [str(tmp_path / TEMPORARY / "kernel.so")]


def test_usage_is_this_process_s() -> None:
    assert usage_of().memory > 10_000_000
    assert usage_of().files >= 3
