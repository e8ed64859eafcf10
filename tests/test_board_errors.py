"""What comes from a board is shown in one line that cannot do anything to a terminal."""

from __future__ import annotations

from deploy_rpc.board_errors import diagnosis, message, one_line
from deploy_rpc.board_spec import parse_board


def test_a_message_of_the_board_is_one_line_without_its_stack() -> None:
    error = RuntimeError("RPCError: Error caught from RPC call:\nbad\n  shape\nStack trace:\n 0: x")
    assert message(error) == "bad shape"


def test_an_error_without_words_is_called_by_its_type() -> None:
    assert message(EOFError()) == "EOFError"


def test_a_false_board_cannot_command_the_terminal() -> None:
    assert (
        one_line("no\x1b[2Jboard\x07\r\n°C")
        == "no\N{REPLACEMENT CHARACTER}[2Jboard\N{REPLACEMENT CHARACTER} °C"
    )


def test_the_next_step_can_be_pasted_into_a_shell() -> None:
    spec = parse_board("rpc://127.0.0.1:9090?key-file=my key")
    assert "--board 'rpc://127.0.0.1:9090?key-file=my key'`" in diagnosis(spec)
