"""Sessions on this machine, on TVM's own servers, and on boards that misbehave."""

import gc
import os
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from deploy_rpc import session as session_module
from deploy_rpc.board_spec import BoardError
from deploy_rpc.core_models import CoreModelError
from deploy_rpc.elf import LibraryError
from deploy_rpc.host import machine_isa
from deploy_rpc.session import Session, open_session
from deploy_rpc.session_program import PlainProgram, VmProgram
from deploy_rpc.time_limit import LimitedThread, call_within
from tests.agents import becomes_true, native_agent, tracker_process
from tests.needs import needs_cycle_model
from tests.programs import WITHOUT_TORCH
from tests.tiny_library import SHAPE, tiny_library, tiny_plain_library, tiny_reference

X = np.random.default_rng(0).standard_normal(SHAPE).astype("float32")
START_S = 60


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tiny")
    return {
        "vm": tiny_library(folder, machine_isa()),
        "plain": tiny_plain_library(folder, machine_isa()),
        "aarch64": tiny_plain_library(folder, "aarch64"),
    }


@contextmanager
def _program(*arguments: str) -> Iterator[subprocess.Popen]:
    """A process with children of its own, all ended at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _server(port: int, *arguments: str) -> tuple[str, ...]:
    host = ("--host", "127.0.0.1", "--port", str(port), "--port-end", str(port + 1))
    return ("tvm.exec.rpc_server", *host, *arguments)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"nothing listens on port {port} after {START_S} s")


@contextmanager
def rpc_server() -> Iterator[tuple[str, subprocess.Popen]]:
    port = _free_port()
    with _program(*_server(port)) as process:
        _wait_for(port)
        yield f"rpc://127.0.0.1:{port}", process


def _wait_for_key(board: str) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            with open_session(board, timeout_s=10):
                return
        except BoardError:
            time.sleep(0.3)
    pytest.fail(f"{board} has not registered after {START_S} s")


def _check_both_forms(session: Session, libraries: dict[str, Path]) -> None:
    for form in ("vm", "plain"):
        module = session.load(libraries[form], output_shapes=[SHAPE])
        np.testing.assert_array_equal(module.run(X), tiny_reference(X))
        times = module.time_ms(X, repeats=4)
        assert len(times) == 4
        assert all(0 < time_ms < 1000 for time_ms in [*times, module.mean_ms(X, runs=4)])


def test_a_local_session_runs_and_times_both_forms_of_library(libraries: dict[str, Path]) -> None:
    with open_session("local") as session:
        assert session.kind_of_time == "measured"
        _check_both_forms(session, libraries)


def test_a_local_session_leaves_the_callers_cores_alone(libraries: dict[str, Path]) -> None:
    before = os.sched_getaffinity(0)
    with open_session("local") as session:
        session.load(libraries["plain"], output_shapes=[SHAPE], threads=len(before)).run(X)
    assert os.sched_getaffinity(0) == before


def test_a_library_built_anew_under_the_same_name_is_the_one_that_runs(
    libraries: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "built.so"
    for form, program in (("plain", PlainProgram), ("vm", VmProgram)):
        path.write_bytes(libraries[form].read_bytes())
        with open_session("local") as session:
            module = session.load(path, output_shapes=[SHAPE])
            assert type(module.program) is program
            np.testing.assert_array_equal(module.run(X), tiny_reference(X))


def test_more_threads_than_the_board_has_are_refused(libraries: dict[str, Path]) -> None:
    with open_session("local") as session, pytest.raises(BoardError, match="asked for 1000"):
        session.load(libraries["plain"], output_shapes=[SHAPE], threads=1000)


def test_another_machines_library_is_refused_before_it_is_loaded(
    libraries: dict[str, Path],
) -> None:
    with open_session("local") as session, pytest.raises(LibraryError, match="is for aarch64"):
        session.load(libraries["aarch64"], output_shapes=[SHAPE])


@pytest.mark.parametrize("form", ["vm", "plain"])
def test_an_input_of_the_wrong_shape_is_refused(libraries: dict[str, Path], form: str) -> None:
    with open_session("local") as session:
        module = session.load(libraries[form], output_shapes=[SHAPE])
        with pytest.raises(BoardError, match="running failed"):
            module.run(X[:, :2])


def test_a_module_is_refused_after_its_session(libraries: dict[str, Path]) -> None:
    with open_session("local") as session:
        module = session.load(libraries["plain"], output_shapes=[SHAPE])
    with pytest.raises(BoardError, match="closed"):
        module.run(X)
    with pytest.raises(BoardError, match="closed"):
        session.board_file("load")


@needs_cycle_model
def test_a_core_that_cannot_be_modelled_is_refused_before_a_board_is_started() -> None:
    with (
        pytest.raises(CoreModelError, match="model of cortex-a53 cannot be believed"),
        open_session("modelled:cortex-a53"),
    ):
        pass


def test_a_remote_board_runs_times_and_may_die_in_between(libraries: dict[str, Path]) -> None:
    with rpc_server() as (board, process), open_session(board, timeout_s=20) as session:
        _check_both_forms(session, libraries)
        module = session.load(libraries["plain"], output_shapes=[SHAPE])
        os.killpg(process.pid, signal.SIGKILL)
        with pytest.raises(BoardError, match=r"running failed.*doctor.py --board rpc://"):
            module.run(X)


def test_a_board_that_hangs_during_a_run_ends_the_wait_and_the_program(
    libraries: dict[str, Path], tmp_path: Path
) -> None:
    with native_agent(tmp_path) as agent:
        code = f"""if True:
            import numpy as np, psutil
            from pathlib import Path
            from deploy_rpc.session import open_session
            board = "rpc://127.0.0.1:{agent.address.port}"
            with open_session(board, timeout_s=3) as session:
                path = Path({str(libraries["plain"])!r})
                module = session.load(path, output_shapes=[{SHAPE}])
                psutil.Process({agent.process.pid}).children()[0].suspend()
                module.run(np.zeros({SHAPE}, "float32"))
        """
        ended = subprocess.run(
            [sys.executable, "-c", WITHOUT_TORCH + code], capture_output=True, text=True, timeout=40
        )
    assert "running: no answer within 3 s" in ended.stderr


def test_a_tracker_hands_out_its_board_and_names_the_keys_it_has(
    libraries: dict[str, Path],
) -> None:
    with tracker_process() as (tracker, _):
        board = f"tracker://{tracker}/tiny"
        server = _server(_free_port(), "--tracker", tracker, "--key", "tiny")
        with _program(*server):
            _wait_for_key(board)
            with pytest.raises(
                BoardError, match=r"keys: tiny \(. of 1 free\);.*doctor.py --board tracker"
            ):
                _open_and_close(f"tracker://{tracker}/other")
            with open_session(board, timeout_s=20) as session:
                _check_both_forms(session, libraries)
                with pytest.raises(BoardError, match="became free within 1 s"):
                    _open_and_close(board, timeout_s=1)
            _open_and_close(board, timeout_s=20)  # the request that gave up is out of the queue


@pytest.mark.parametrize("form", ["rpc://{}", "tracker://{}/key"])
def test_a_refused_port_is_named(form: str) -> None:
    address = f"127.0.0.1:{_free_port()}"
    with pytest.raises(BoardError, match=rf"{address} .*refused"):
        _open_and_close(form.format(address))


@pytest.mark.parametrize("form", ["rpc://{}", "tracker://{}/key"])
def test_a_port_that_never_answers_is_left_after_the_limit(form: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        with pytest.raises(BoardError, match=rf"{address}.*within 0.5 s"):
            _open_and_close(form.format(address), timeout_s=0.5)
    assert time.monotonic() - start < 5


def test_an_emulated_board_takes_its_own_libraries_and_tells_no_times(
    libraries: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "x86_64" if machine_isa() == "aarch64" else "aarch64"
    link = SimpleNamespace(
        isa=other, set_threads=lambda threads: threads, free=dict, is_emulated=True
    )
    monkeypatch.setattr(session_module, "link_to", lambda spec, limit: _yielding(link))
    with open_session("emulated") as session:
        assert session.kind_of_time is None
        with pytest.raises(LibraryError, match=f"is for {machine_isa()}"):
            session.load(libraries["vm"], output_shapes=[SHAPE])
        module = session_module.LoadedModule(session, None, 1)
        with pytest.raises(BoardError, match="no times"):
            module.time_ms(X, repeats=1)


def test_a_call_within_its_limit_gives_its_result_and_its_exceptions() -> None:
    assert call_within(5, max, 1, 2, what="comparing") == 2
    with pytest.raises(ZeroDivisionError):
        call_within(5, divmod, 1, 0, what="dividing")


def test_what_a_failed_call_used_is_freed_with_its_error() -> None:
    class Connection:
        def read(self) -> None:
            raise ConnectionResetError("the board is gone")

    connection = Connection()
    gone = weakref.ref(connection)
    gc.disable()  # which would free a cycle, some time
    try:
        with pytest.raises(ConnectionResetError):
            call_within(5, connection.read, what="reading")
        del connection
        assert becomes_true(lambda: gone() is None)
    finally:
        gc.enable()


def test_a_thread_that_was_left_behind_refuses_the_next_call() -> None:
    thread = LimitedThread()
    with pytest.raises(BoardError, match=r"sleeping: no answer within 0.05 s"):
        thread.call_within(0.05, time.sleep, 1, what="sleeping")
    with pytest.raises(BoardError, match="still hangs in an earlier step, sleeping"):
        thread.call_within(5, max, 1, 2, what="comparing")
    thread.end()


def test_what_a_hung_session_holds_is_freed_when_its_last_call_returns(
    libraries: dict[str, Path],
) -> None:
    gc.disable()  # which would free a cycle, some time
    try:
        with open_session("local") as session:
            program = session.load(libraries["plain"], output_shapes=[SHAPE]).program
            with pytest.raises(BoardError, match="no answer"):
                session.call("sleeping", time.sleep, 1, limit_s=0.05)
        gone = weakref.ref(program)
        del program
        assert gone() is not None
        assert becomes_true(lambda: gone() is None)
    finally:
        gc.enable()


@contextmanager
def _yielding(value: object) -> Iterator[object]:
    yield value


def _open_and_close(board: str, timeout_s: float = 10) -> None:
    with open_session(board, timeout_s=timeout_s):
        pass
