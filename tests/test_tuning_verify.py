"""tune.py --verify replays records, and names those that a build would not take."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from compile.schedules.spaces import space_of
from compile.targets import parse_target
from compile.tune import main
from compile.tuning.decisions import TUNING_LOGS, default_of, tile_of
from compile.tuning.log import TuningLog
from compile.tuning.log_cores import log_name
from compile.tuning.log_file import LogError
from compile.tuning.verify import faults_of, logs_in, verify_logs
from deploy_rpc.emulated_program import missing_program_tools
from tests.needs import skip_for
from tests.tuning_records import record


def test_a_sound_record_has_no_fault() -> None:
    assert faults_of([record(1)]) == [None]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"template": "unknown"}, "no template"),
        ({"core": "cortex-m0"}, "unknown core"),
        ({"workload": {"groups": 1}}, "not a workload"),
        ({"template_version": 0}, "another version"),
        ({"decisions": {**record(1).decisions, "rows": 31}}, "no room"),
        ({"decisions": {**record(1).decisions, "rows": [4]}}, "another version"),
        ({"threads": 2}, "of 2 threads"),
    ],
)
def test_a_fault_is_said(changed: dict[str, object], reason: str) -> None:
    (fault,) = faults_of([record(1, **changed)])
    assert reason in fault


def test_a_wrong_answer_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    default = tile_of(record(0))
    monkeypatch.setattr(
        "compile.tuning.verify.answers_of",
        lambda made: [np.array([0.0, 1.0 if made.tile == default else 1.5])],
    )
    assert faults_of([record(1), record(0)]) == ["wrong answer: 5.0e-01 of the range away", None]


def test_a_default_tile_is_not_held_against_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compile.tuning.verify.answers_of", lambda made: pytest.fail("it was run"))
    assert faults_of([record(0)]) == [None]


def test_a_tile_of_two_cores_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    monkeypatch.setattr(
        "compile.tuning.verify.answers_of", lambda made: compiled.append(made.tile) or [np.zeros(1)]
    )
    faults = faults_of([record(1), record(0), record(1, core="cortex-a73"), record(1)])
    assert faults == [None] * 4
    assert compiled == [tile_of(record(1)), tile_of(record(0))]


def test_the_command_names_log_and_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = TuningLog(tmp_path / "net.jsonl")
    log.append([record(0), record(1, template_version=0)])
    with pytest.raises(LogError, match="1 records are wrong"):
        main(["--verify", str(tmp_path), "--workers", "1"])
    assert f"{log.path}, record 2: decisions of another version" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--merge", "a.jsonl"],
        ["--prune", "a.jsonl", "--target", "arm_cpu"],
        ["--prune", "a.jsonl", "--verify"],
        ["--target", "rpi5", "--dtype", "float16", "--board", "rpc://127.0.0.1:9"],
    ],
)
def test_a_wrong_command_line_is_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert "tune.py: error:" in capsys.readouterr().err


def test_no_log_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="found none"):
        logs_in(tmp_path)


OF_INT8 = [log for log in logs_in(TUNING_LOGS) if ".int8." in log.name]
OF_X86 = [log for log in logs_in(TUNING_LOGS) if log.parent.name.startswith("x86_64-")]
OF_ARM = [log for log in logs_in(TUNING_LOGS) if log not in (*OF_X86, *OF_INT8)]
REPLAYED = 4  # of so many records of int8 one, each of which is a program under QEMU


@pytest.mark.parametrize("logs", [OF_X86, OF_ARM], ids=["x86", "arm"])
def test_every_shipped_record_is_what_a_build_takes_and_answers_right(logs: list[Path]) -> None:
    assert verify_logs(logs, 2, lambda done, of: None) == []


@pytest.mark.parametrize("log", OF_INT8, ids=lambda log: f"{log.parent.name}-{log.stem}")
def test_every_shipped_record_of_int8_is_what_a_build_takes(log: Path) -> None:
    for shipped in TuningLog(log).read().records:
        default, core = default_of(shipped)
        assert tile_of(shipped) in space_of(default.workload, core)


@skip_for(missing_program_tools())
@pytest.mark.parametrize("log", OF_INT8, ids=lambda log: f"{log.parent.name}-{log.stem}")
def test_shipped_records_of_int8_answer_right(log: Path) -> None:
    replayed = TuningLog(log).read().records[::REPLAYED]
    assert [faults_of([each]) for each in replayed] == [[None]] * len(replayed)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_makes_every_shipped_log_anew() -> None:
    told = _dry_run("tuning-logs")
    made = {
        f"{core}/{model}.jsonl" if dtype == "float32" else f"{core}/{model}.{dtype}.jsonl"
        for core, model, dtype in re.findall(r"([\w.-]+),([\w.-]+),(\w+)", told)
    }
    shipped = {str(log.relative_to(TUNING_LOGS)) for log in logs_in(TUNING_LOGS)}
    measured = {str(log.relative_to(TUNING_LOGS)) for log in OF_X86}
    assert made == shipped - measured
    assert _made_here("tuning-logs-here") | _made_here("tuning-logs-avx2") == measured


def _made_here(task: str) -> set[str]:
    """The logs that `task` measures; those of `host` on the kind of machine that they are of."""
    told = _dry_run(task)
    (models,) = re.findall(r"for model in ([^;]+);", told)
    (target,) = re.findall(r"--target '([^']+)'", told)
    folder = "x86_64-znver5" if target == "host" else log_name(parse_target(target).core)
    return {f"{folder}/{model}.jsonl" for model in models.split()}


def _dry_run(task: str) -> str:
    command = ["make", "--dry-run", "--directory", TUNING_LOGS.parent, task]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_readme_of_the_logs_lists_each() -> None:
    text = (TUNING_LOGS / "README.md").read_text(encoding="utf-8")
    listed = sorted(line.split("`")[1] for line in text.splitlines() if line.startswith("| `"))
    assert listed == sorted(str(log.relative_to(TUNING_LOGS)) for log in logs_in(TUNING_LOGS))
