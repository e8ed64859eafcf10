"""What of tune.py's options makes no sense together is a usage error, which says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from compile.tune import _log, main
from compile.tune_options import parse_options
from compile.tuning.decisions import TUNING_LOGS
from compile.tuning.log import TuningLog
from compile.tuning.trial import Where
from deploy_rpc.host import host_core
from tests.tuning_records import record

TARGET = ["--target", "cortex-a72"]
LOCAL = ["--target", "host", "--board", "local"]


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["--target", "arm_cpu", "--board", "modelled:neoverse-n1"],
            "expected --board modelled:cortex-a72, or --target neoverse-n1",
        ),
        (["--target", "host", "--board", "modelled:cortex-a72"], "prices cortex-a72"),
        ([*TARGET, "--judge", "0"], "--judge is for boards"),
        ([*TARGET, "--cooldown", "0"], "--cooldown is for boards"),
        ([*TARGET, "--drift", "5"], "--drift is for boards"),
        ([*TARGET, "--boards", "2"], "--boards is for boards"),
        ([*TARGET, "--timeout", "9"], "--timeout is for boards"),
        (["--target", "cortex-a72", "--board", "local"], '"mcpu": "x86-64-v3"} where this machine'),
        ([*LOCAL, "--boards", "2"], "--board local is this machine alone"),
        (["--verify", "--trials", "9"], "--trials is not for --verify"),
        (["--verify", "--resume"], "--resume is not for --verify"),
        (["--verify", "--json", "a.json"], "--json is not for --verify"),
        ([*TARGET, "--into", "a.jsonl"], "--into needs --merge"),
        ([*TARGET, "--onnx", __file__, "--model", "alexnet"], "--model does not apply to --onnx"),
    ],
)
def test_what_would_be_ignored_is_refused(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert expected in refused(arguments, capsys)


@pytest.mark.parametrize(
    "arguments",
    [["--prune", "typo/a.jsonl"], ["--merge", "typo/a.jsonl", "--into", "b.jsonl"]],
    ids=["prune", "merge"],
)
def test_a_log_that_is_not_there_is_a_usage_error_and_nothing_is_made(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "found nothing at typo/a.jsonl" in refused(arguments, capsys)
    assert not list(tmp_path.iterdir())


def test_the_board_is_the_modelled_core_of_the_target_unless_named() -> None:
    assert str(parse_options(["--target", "rpi4"]).board) == "modelled:cortex-a72"
    named = parse_options(["--target", "rpi4", "--board", "modelled:cortex-a72"])
    assert str(named.board) == "modelled:cortex-a72"
    assert (named.trials, named.judge, named.tuning_logs) == (1000, 3, TUNING_LOGS)


def test_of_a_board_zero_is_an_answer() -> None:
    options = parse_options(["--target", "host", "--board", "local", "--judge", "0"])
    assert (options.judge, options.drift, options.target.core) == (0, 10, host_core())


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "shufflenet-1.0x-g3.jsonl"),
        (["--input-size", "224"], "shufflenet-1.0x-g3.jsonl"),
        (["--input-size", "480x640"], "shufflenet-1.0x-g3@480x640.jsonl"),
        (["--dtype", "int8", "--input-size", "64"], "shufflenet-1.0x-g3@64x64.int8.jsonl"),
        (["--onnx", "net.onnx"], "net.jsonl"),
        (["--onnx", "net.onnx", "--input-size", "64"], "net@64x64.jsonl"),
        (["--space", "auto"], "auto/shufflenet-1.0x-g3.jsonl"),
    ],
)
def test_a_log_is_named_after_the_network_and_an_unusual_size(
    words: list[str], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.onnx").touch()
    options = parse_options([*TARGET, *words])
    where = Where(options.target, options.target_text, options.board, options.target.core)
    assert _log(options, where).path == TUNING_LOGS / "cortex-a72" / name


def test_pruning_by_the_command_keeps_what_builds_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "a.jsonl"
    TuningLog(log).append([record(1, 5.0, template_version=0), record(1, 9.0), record(2, 10.0)])
    main(["--prune", str(log)])
    assert "dropped 1 records" in capsys.readouterr().out
