"""The relay is up before a board is asked for: neither an agent nor a tracker waits for long."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from deploy_rpc import relay
from deploy_rpc.host import machine_isa
from deploy_rpc.relay import RelayError, start_relay
from deploy_rpc.session import open_session
from tests.agents import becomes_true, free_boards, native_agent, tracker_process

LIMIT_S = 30
SLOW_S = 7  # longer than an agent waits for a client (5 s), or a password lasts at a tracker (6 s)


@pytest.fixture
def slow_relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a machine that has much else to do."""
    program = tmp_path / "slow.py"
    program.write_text(
        f"import runpy, time\ntime.sleep({SLOW_S})\n"
        f"runpy.run_path({str(relay.PROGRAM)!r}, run_name='__main__')\n"
    )
    monkeypatch.setattr(relay, "PROGRAM", program)


@pytest.mark.usefixtures("slow_relay")
def test_a_client_that_starts_slowly_gets_its_session(tmp_path: Path, key_file: Path) -> None:
    with (
        tracker_process() as (tracker, _),
        native_agent(
            tmp_path, "--key", "here", "--tracker", tracker, "--key-file", str(key_file)
        ) as agent,
    ):
        assert becomes_true(lambda: free_boards(tracker) == 1)
        board = f"tracker://{tracker}/here?key-file={key_file}"
        with open_session(board, timeout_s=LIMIT_S) as session:
            assert session.isa == machine_isa()
        assert agent.process.poll() is None


def test_a_relay_that_was_killed_is_an_error() -> None:
    started = start_relay(LIMIT_S)
    started.process.kill()
    started.process.wait()
    with pytest.raises(RelayError, match="has ended"):
        started.carry_to(socket.socketpair()[0], "key")


def test_a_relay_that_does_not_start_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, text in enumerate(("import time; time.sleep(60)", "raise SystemExit(1)")):
        program = tmp_path / f"{number}.py"
        program.write_text(text)
        monkeypatch.setattr(relay, "PROGRAM", program)
        with pytest.raises(RelayError, match="was not up within 1 s; try again"):
            start_relay(1)
