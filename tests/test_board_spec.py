"""BOARD as text: every form is read and written back, everything else is refused with the forms."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from deploy_rpc.board_spec import BoardSpec, BoardSpecError, parse_board
from model.cli import argument

FORMS = {
    "local": BoardSpec("local"),
    "emulated": BoardSpec("emulated"),
    "emulated:cortex-a53": BoardSpec("emulated", core="cortex-a53"),
    "modelled:neoverse-n1": BoardSpec("modelled", core="neoverse-n1"),
    "rpc://192.168.1.20:9090": BoardSpec("rpc", host="192.168.1.20", port=9090),
    "rpc://[::1]:9090": BoardSpec("rpc", host="::1", port=9090),
    "tracker://lab.example:9190/rpi4": BoardSpec(
        "tracker", host="lab.example", port=9190, key="rpi4"
    ),
    "rpc://board:9090?key-file=my/board.key": BoardSpec(
        "rpc", host="board", port=9090, key_file=Path("my/board.key")
    ),
    "tracker://lab:9190/rpi4?key-file=k": BoardSpec(
        "tracker", host="lab", port=9190, key="rpi4", key_file=Path("k")
    ),
}


@pytest.mark.parametrize("text", FORMS)
def test_every_form_is_read_and_written_back(text: str) -> None:
    assert parse_board(text) == FORMS[text]
    assert parse_board(text).argument == text


@pytest.mark.parametrize(
    ("text", "under_qemu", "kind_of_time"),
    [
        ("emulated", True, None),
        ("modelled:neoverse-n1", True, "modelled"),
        ("local", False, "measured"),
        ("rpc://board:9090", False, "measured"),
    ],
)
def test_a_board_says_what_its_times_are(
    text: str, under_qemu: bool, kind_of_time: str | None
) -> None:
    board = parse_board(text)
    assert (board.under_qemu, board.kind_of_time) == (under_qemu, kind_of_time)


def test_reports_call_a_board_without_its_key_file() -> None:
    assert str(parse_board("rpc://board:9090?key-file=my/board.key")) == "rpc://board:9090"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "begins like none"),
        ("lokal", "begins like none"),
        ("http://board:80", "begins like none"),
        ("local:cortex-a72", "begins like none"),
        ("rpc://board", "expected HOST:PORT"),
        ("rpc://:9090", "expected HOST:PORT"),
        ("rpc://board:0", "expected a port of 1 to 65535"),
        ("rpc://board:65536", "expected a port of 1 to 65535"),
        ("rpc://board:9o9o", "expected a port of 1 to 65535"),
        (f"rpc://board:{'9' * 5000}", "expected a port of 1 to 65535"),
        ("rpc://user@board:9090", "not the name or address of a host"),
        ("rpc://a..b:9090", "not the name or address of a host"),
        ("rpc://::1:9090", "write an IPv6 address in brackets"),
        ("tracker://board:9190", "one word as the key"),
        ("tracker://board:9190/", "one word as the key"),
        ("tracker://board:9190/two words", "one word as the key"),
        ("rpc://board:9090?key=secret", "expected ?key-file=FILE"),
        ("rpc://board:9090?key-file=", "expected ?key-file=FILE"),
        ("emulated:", "unknown core ''"),
        ("emulated:cortex-a71", "did you mean"),
    ],
)
def test_anything_else_is_refused_with_what_is_wrong_and_the_forms(text: str, problem: str) -> None:
    with pytest.raises(BoardSpecError) as caught:
        parse_board(text)
    assert problem in str(caught.value)
    assert "rpc://HOST:PORT, tracker://HOST:PORT/KEY" in str(caught.value)


def test_a_command_line_refuses_it_as_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--board", type=argument(parse_board))
    with pytest.raises(SystemExit) as exit_status:
        parser.parse_args(["--board", "nonsense"])
    assert exit_status.value.code == 2
    assert "'nonsense' is not a board" in capsys.readouterr().err
