"""Emulated boards: our agent under QEMU runs ARM libraries, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import psutil
import pytest
from tvm import rpc

from deploy_rpc import agent_process, emulator
from deploy_rpc.agent_process import Address
from deploy_rpc.board_spec import BoardError
from deploy_rpc.bundle import board_bundle
from deploy_rpc.elf import LibraryError
from deploy_rpc.emulator import (
    agent_command,
    emulated_cores,
    missing_emulation_tools,
    running_agent,
)
from deploy_rpc.session import open_session
from tests.agents import becomes_true
from tests.needs import needs_qemu
from tests.programs import WITHOUT_TORCH
from tests.tiny_library import SHAPE, tiny_library, tiny_plain_library, tiny_reference

CORE = "cortex-a72"
LIMIT_S = 60
RPC_MAGIC = 0xFF271


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("aarch64")
    return {
        "Relax VM": tiny_library(folder, "aarch64"),
        "plain main": tiny_plain_library(folder, "aarch64"),
    }


@pytest.fixture
def agent() -> Iterator[Address]:
    with running_agent(CORE, LIMIT_S) as running:
        yield running.address


def _input() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(SHAPE).astype("float32")


def _agents() -> set[int]:
    """The agents that this test process has started and that still run."""
    return {
        process.pid
        for process in psutil.Process().children(recursive=True)
        if process.status() != psutil.STATUS_ZOMBIE and "qemu" in process.name()
    }


def _greet(address: Address, key: bytes) -> tuple[socket.socket, int]:
    """A connection after the hand-shake with `key`, and the code that came back, 0 for none."""
    connection = socket.create_connection((address.host, address.port), timeout=LIMIT_S)
    connection.sendall(struct.pack("<ii", RPC_MAGIC, len(key)) + key)
    try:
        answer = connection.recv(4)
    except ConnectionResetError:
        answer = b""
    return connection, struct.unpack("<i", answer)[0] if answer else 0


@needs_qemu
@pytest.mark.parametrize(("form", "threads"), [("Relax VM", 1), ("Relax VM", 4), ("plain main", 2)])
def test_an_arm_library_computes_what_it_should(
    libraries: dict[str, Path], form: str, threads: int
) -> None:
    with open_session("emulated", timeout_s=LIMIT_S) as session:
        module = session.load(libraries[form], output_shapes=[SHAPE], threads=threads)
        for x in (_input(), -_input()):
            np.testing.assert_array_equal(module.run(x), tiny_reference(x))


@needs_qemu
@pytest.mark.parametrize("core", emulated_cores())
def test_every_core_that_qemu_knows_runs_the_library(libraries: dict[str, Path], core: str) -> None:
    with open_session(f"emulated:{core}", timeout_s=LIMIT_S) as session:
        module = session.load(libraries["plain main"], output_shapes=[SHAPE])
        np.testing.assert_array_equal(module.run(_input()), tiny_reference(_input()))


@needs_qemu
def test_an_emulated_board_has_no_times(libraries: dict[str, Path]) -> None:
    with open_session("emulated", timeout_s=LIMIT_S) as session:
        assert session.kind_of_time is None
        module = session.load(libraries["plain main"], output_shapes=[SHAPE])
        with pytest.raises(BoardError, match=r"QEMU's clock measures the emulator"):
            module.time_ms(_input(), repeats=1)


@needs_qemu
def test_a_library_for_this_machine_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    with open_session("emulated", timeout_s=LIMIT_S) as session:
        assert session.isa == "aarch64"
        with pytest.raises(LibraryError, match=r"is for x86_64, but emulated is aarch64"):
            session.load(tiny_plain_library(tmp_path, "x86_64"), output_shapes=[SHAPE])


@needs_qemu
def test_a_core_unknown_to_qemu_is_refused_with_the_known_ones() -> None:
    (unknown, *_) = {"cortex-x1", "neoverse-n2"} - set(emulated_cores())
    with (
        pytest.raises(BoardError, match=rf"cannot emulate {unknown}; it knows .*{CORE}"),
        open_session(f"emulated:{unknown}", timeout_s=LIMIT_S),
    ):
        pass


@needs_qemu
def test_an_upload_cannot_leave_the_work_folder(agent: Address) -> None:
    remote = rpc.connect(agent.host, agent.port)
    for name in ("../escaped", "/tmp/escaped", "..", ".", "", "a/b", "x" * 256):
        with pytest.raises(Exception, match=r"expected a plain file name"):
            remote.get_function("tvm.rpc.server.upload")(name, bytearray(b"escaped"))
        with pytest.raises(Exception, match=r"expected a plain file name"):
            remote.get_function("tvm.rpc.server.download")(name)


@needs_qemu
def test_a_session_s_files_are_gone_when_the_next_one_begins(agent: Address) -> None:
    first = rpc.connect(agent.host, agent.port)
    first.upload(bytearray(b"secret"), "left.txt")
    assert bytes(first.download("left.txt")) == b"secret"
    del first
    second = rpc.connect(agent.host, agent.port)
    with pytest.raises(Exception, match=r"left\.txt"):
        second.download("left.txt")


@needs_qemu
def test_a_wrong_key_a_wrong_magic_and_silence_do_not_hold_up_the_next_client(
    agent: Address,
) -> None:
    silent = socket.create_connection((agent.host, agent.port))
    wrong, code = _greet(agent, b"client:other")
    assert code == RPC_MAGIC + 2
    long, code = _greet(agent, b"client:" + b"x" * 5000)
    assert code == 0
    right, code = _greet(agent, b"client: -timeout=5")
    assert code == RPC_MAGIC
    for connection in (silent, wrong, long, right):
        connection.close()


@needs_qemu
def test_a_client_that_breaks_off_in_the_middle_leaves_the_agent_usable(
    agent: Address, libraries: dict[str, Path]
) -> None:
    connection, _ = _greet(agent, b"client:")
    connection.recv(64)
    connection.sendall(struct.pack("<Q", 1 << 20) + b"half a packet")
    connection.close()
    with open_session(f"rpc://{agent.host}:{agent.port}", timeout_s=LIMIT_S) as session:
        module = session.load(libraries["plain main"], output_shapes=[SHAPE])
        np.testing.assert_array_equal(module.run(_input()), tiny_reference(_input()))


@needs_qemu
@pytest.mark.parametrize("fault", [None, KeyboardInterrupt, RuntimeError])
def test_no_process_and_no_file_is_left_however_a_session_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: type[BaseException] | None
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = _agents()
    with (
        pytest.raises(fault) if fault else nullcontext(),
        open_session("emulated", timeout_s=LIMIT_S),
    ):
        assert len(_agents() - before) == 2  # the agent, and the session's process
        if fault:
            raise fault
    assert _agents() == before
    assert list(tmp_path.iterdir()) == []


@needs_qemu
def test_an_emulated_board_has_no_times_by_its_address_either(
    agent: Address, libraries: dict[str, Path]
) -> None:
    with open_session(f"rpc://{agent.host}:{agent.port}", timeout_s=LIMIT_S) as session:
        assert session.kind_of_time is None
        module = session.load(libraries["plain main"], output_shapes=[SHAPE])
        with pytest.raises(BoardError, match="has no times: QEMU's clock measures the emulator"):
            module.time_ms(_input(), repeats=1)


@needs_qemu
def test_an_agent_that_hangs_is_killed_with_its_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(agent_process, "END_LIMIT_S", 0.2)
    before = _agents()
    with running_agent(CORE, LIMIT_S) as running:
        connection, _ = _greet(running.address, b"client:")
        assert becomes_true(lambda: len(_agents() - before) == 2)
        started = _agents() - before
        for pid in started:
            os.kill(pid, signal.SIGSTOP)
    assert becomes_true(lambda: not started & set(psutil.pids()))
    connection.close()


@needs_qemu
def test_the_agent_dies_with_the_program_that_started_it(tmp_path: Path) -> None:
    program = (
        f"{WITHOUT_TORCH}import time\n"
        "from deploy_rpc.session import open_session\n"
        f"with open_session('emulated', timeout_s={LIMIT_S}):\n"
        "    print('up', flush=True)\n"
        "    time.sleep(100)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert parent.stdout.readline() == "up\n"
    orphans = psutil.Process(parent.pid).children(recursive=True)
    assert len(orphans) == 3  # the agent, its session, and the relay to it
    parent.kill()  # SIGTERM, which nothing here catches, is no other end
    parent.wait()
    parent.stdout.close()
    assert becomes_true(lambda: not any(process.is_running() for process in orphans))
    assert list(tmp_path.iterdir()) == []


@needs_qemu
def test_a_session_that_outlasts_the_limit_is_ended(tmp_path: Path) -> None:
    command = [*agent_command(CORE), "--port", "0", "--work", str(tmp_path)]
    agent = subprocess.Popen(
        [*command, "--session-limit", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        port = int(agent.stdout.readline().rpartition(":")[2])
        connection, _ = _greet(Address("127.0.0.1", port), b"client:")
        assert "the session's 1 s are over" in agent.stderr.readline()
        assert becomes_true(lambda: not list(tmp_path.iterdir()))
        connection.close()
        agent.terminate()
        assert agent.wait(timeout=10) == 0
    finally:
        agent.kill()
        agent.communicate()


@needs_qemu
def test_the_agent_refuses_a_public_address_without_an_explicit_word() -> None:
    refused = subprocess.run(
        [*agent_command(CORE), "--host", "0.0.0.0", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert refused.returncode == 2
    assert "whoever reaches this port can run code here" in refused.stderr


@needs_qemu
@pytest.mark.parametrize("words", [["--prot", "1"], ["--port"], ["--port", "-1"], ["--port", "x"]])
def test_the_agent_refuses_wrong_options(words: list[str]) -> None:
    refused = subprocess.run(
        [*agent_command(CORE), *words], capture_output=True, text=True, timeout=LIMIT_S
    )
    assert refused.returncode == 2
    assert "usage: agent" in refused.stderr


@needs_qemu
def test_a_broken_agent_is_an_error_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "agent"
    broken.write_bytes((board_bundle() / "agent").read_bytes())
    broken.chmod(0o755)  # without the libraries beside it
    monkeypatch.setattr(emulator, "board_bundle", lambda: tmp_path)
    with (
        pytest.raises(BoardError, match=r"did not come up: .*libtvm_runtime"),
        running_agent(CORE, LIMIT_S),
    ):
        pass


def test_missing_tools_are_named_with_the_packages_that_hold_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SHUFFLENET_AARCH64_SYSROOT", str(tmp_path))
    sentences = missing_emulation_tools()
    assert len(sentences) == 3
    for package in ("qemu-user", "libc6-arm64-cross", "libstdc++6-arm64-cross"):
        assert any(package in sentence for sentence in sentences)
    with (
        pytest.raises(BoardError, match=r"no board can be emulated here: qemu-aarch64 is not on"),
        running_agent(CORE, LIMIT_S),
    ):
        pass
