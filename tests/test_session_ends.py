"""What is left of a session with a board: no process, no port, no folder, however it ends."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from deploy_rpc.board_spec import BoardError
from deploy_rpc.host import machine_isa
from deploy_rpc.session import open_session
from tests.agents import becomes_true, native_agent, no_session, processes_and_listeners
from tests.needs import needs_qemu
from tests.tiny_library import SHAPE, tiny_plain_library

LIMIT_S = 30


@needs_qemu
def test_the_key_of_an_emulated_board_stands_in_no_process_list() -> None:
    with open_session("emulated", timeout_s=60) as session:
        assert session.isa == "aarch64"
        tree = psutil.Process().children(recursive=True)
        words = [word for process in tree for word in process.cmdline()]
    assert any("--key-file" in word for word in words)
    assert not any(len(word) == 64 and set(word) <= set("0123456789abcdef") for word in words)


def test_an_agent_that_was_killed_leaves_no_folder_behind_for_long(tmp_path: Path) -> None:
    library = tiny_plain_library(tmp_path, machine_isa())
    work = tmp_path / "work"
    work.mkdir()
    with native_agent(work) as agent:
        with open_session(f"rpc://127.0.0.1:{agent.address.port}", timeout_s=5) as session:
            session.load(library, output_shapes=[SHAPE])
            with native_agent(work):  # its neighbour's session goes on
                assert session.board_file("load")
            os.kill(agent.process.pid, 9)
            agent.process.wait()
        assert not no_session(work)
    with native_agent(work):
        assert no_session(work)


@pytest.mark.parametrize("end", [None, RuntimeError, KeyboardInterrupt])
def test_no_process_and_no_port_is_left_however_a_session_ends(
    tmp_path: Path, key_file: Path, end: type[BaseException] | None
) -> None:
    """Counted: agent, its session, the relay, and what they listen on."""
    before = processes_and_listeners()
    with native_agent(tmp_path, "--key-file", str(key_file)) as agent:
        board = f"rpc://127.0.0.1:{agent.address.port}?key-file={key_file}"
        with suppress(RuntimeError, KeyboardInterrupt), open_session(board) as session:
            during = processes_and_listeners()
            assert session.isa == machine_isa()
            if end:
                raise end
    assert len(during[0] - before[0]) == 3
    assert len(during[1] - before[1]) == 1
    assert becomes_true(lambda: processes_and_listeners() == before)


def test_a_board_that_hung_in_a_session_with_a_key_is_free_again_when_that_is_closed(
    tmp_path: Path, key_file: Path
) -> None:
    with native_agent(tmp_path, "--key-file", str(key_file)) as agent:
        board = f"rpc://127.0.0.1:{agent.address.port}?key-file={key_file}"
        with open_session(board, timeout_s=1) as session:
            (hanging,) = psutil.Process(agent.process.pid).children()
            hanging.suspend()
            with pytest.raises(BoardError, match="no answer within 1 s"):
                session.board_file("load")
        with open_session(board, timeout_s=LIMIT_S) as session:
            assert session.isa == machine_isa()
