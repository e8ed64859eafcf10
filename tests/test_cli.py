"""What every command line shares."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from model import cli
from model.errors import InputError


def fail() -> None:
    raise InputError("expected this, got that")


def test_an_input_error_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.run_command(fail)
    assert caught.value.code == 1
    assert capsys.readouterr().err == "error: expected this, got that\n"


def test_ctrl_c_is_exit_code_130(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as caught:
        cli.run_command(interrupt)
    assert caught.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    program = "from model import cli; cli.run_command(lambda: print('line\\n' * 100_000))"
    words = [sys.executable, "-c", program]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_a_bad_argument_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("value", type=cli.argument(lambda text: fail()))
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["x"])
    assert caught.value.code == 2
    assert "expected this, got that" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "one", ""])
def test_a_count_is_at_least_one(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="at least 1"):
        cli.positive_int(text)


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "x", ""])
def test_a_number_below_zero_is_a_usage_error(text: str) -> None:
    assert cli.not_negative("1.5") == 1.5
    with pytest.raises(argparse.ArgumentTypeError, match="at least 0"):
        cli.not_negative(text)


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="a folder"):
        cli.existing_file(str(tmp_path))
    with pytest.raises(argparse.ArgumentTypeError, match=r"nothing at .*missing"):
        cli.existing_file(str(tmp_path / "missing"))


def test_a_new_file_is_in_a_folder_that_exists(tmp_path: Path) -> None:
    assert cli.new_file(str(tmp_path / "report.json")) == tmp_path / "report.json"
    with pytest.raises(argparse.ArgumentTypeError, match="there is no folder"):
        cli.new_file(str(tmp_path / "missing" / "report.json"))
    with pytest.raises(argparse.ArgumentTypeError, match="expected a file"):
        cli.new_file(str(tmp_path))


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    cli.write_json(path, {"a": 1})
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def write_half(temporary: Path) -> None:
        temporary.write_text("ha")
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError):
        cli.write_atomically(path, write_half)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unwritable_report_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        cli.write_json(tmp_path / "file" / "report.json", {})


def test_a_phase_says_how_long_it_took_or_that_it_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with cli.phase("import"):
        pass
    assert capsys.readouterr().out == "import ... 0.0 s\n"
    with pytest.raises(InputError), cli.phase("compile"):
        fail()
    assert capsys.readouterr().out == "compile ... failed\n"
