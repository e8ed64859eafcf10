"""The board agent on this machine, natively: TVM's own tracker and client, and hostile ones."""

from __future__ import annotations

import os
import random
import re
import resource
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from tvm import rpc

from deploy_rpc.agent_process import Address
from deploy_rpc.bundle import board_bundle
from deploy_rpc.compiled_once import compiled_once
from deploy_rpc.host import machine_isa
from deploy_rpc.session import open_session
from deploy_rpc.time_limit import call_within
from tests.agents import (
    agent_with_words,
    becomes_true,
    free_boards,
    native_agent,
    tracker_process,
)
from tests.programs import WITHOUT_TORCH
from tests.tiny_library import SHAPE, tiny_plain_library, tiny_reference

LIMIT_S = 60
CLOSES_AND_GOES_ON = """
#include <unistd.h>
__attribute__((constructor)) static void load(void) {
  for (int descriptor = 0; descriptor < 1024; ++descriptor) close(descriptor);
  for (;;) pause();
}
"""
RPC_MAGIC, TRACKER_MAGIC = 0xFF271, 0x2F271


def _sends(address: Address, data: bytes) -> bytes:
    """What comes back for `data`, after which the sending side is closed."""
    with socket.create_connection((address.host, address.port), timeout=LIMIT_S) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(64)
        except OSError:  # reset, or closed before our end was
            return b""


def _answers(address: Address, key: str = "") -> bool:
    """Whether a session can be had."""
    remote = rpc.connect(address.host, address.port, key, session_timeout=LIMIT_S)
    return remote.get_function("shufflenet.board_isa")() == machine_isa()


def test_a_library_is_uploaded_run_and_gone_with_its_session(tmp_path: Path) -> None:
    library = tiny_plain_library(tmp_path, machine_isa())
    work = tmp_path / "work"
    work.mkdir()
    x = np.random.default_rng(0).standard_normal(SHAPE).astype("float32")
    with native_agent(work) as agent:
        with open_session(f"rpc://127.0.0.1:{agent.address.port}", timeout_s=LIMIT_S) as session:
            y = session.load(library, output_shapes=[SHAPE]).run(x)
            assert len(list(work.glob("shufflenet-session-*/*.so"))) == 1
        assert becomes_true(lambda: not list(work.iterdir()))
    np.testing.assert_array_equal(y, tiny_reference(x))


def test_upstream_s_tracker_hands_the_board_out_one_session_after_the_other(
    tmp_path: Path,
) -> None:
    with (
        tracker_process() as (tracker, _),
        native_agent(tmp_path, "--key", "here", "--tracker", tracker),
    ):
        for _ in range(3):
            assert becomes_true(lambda: free_boards(tracker) == 1)
            with open_session(f"tracker://{tracker}/here", timeout_s=LIMIT_S) as session:
                assert session.isa == machine_isa()
                assert free_boards(tracker) == 0


def test_a_client_waits_until_the_board_is_free(tmp_path: Path) -> None:
    with (
        tracker_process() as (tracker, _),
        native_agent(tmp_path, "--key", "here", "--tracker", tracker),
    ):
        assert becomes_true(lambda: free_boards(tracker) == 1)
        program = (
            f"{WITHOUT_TORCH}import time\nfrom deploy_rpc.session import open_session\n"
            f"with open_session('tracker://{tracker}/here'):\n"
            "    print('busy', flush=True)\n    time.sleep(1)\n"
        )
        first = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert first.stdout.readline() == "busy\n"
        with open_session(f"tracker://{tracker}/here", timeout_s=LIMIT_S) as session:
            assert session.isa == machine_isa()
        first.communicate()


def test_a_board_comes_back_to_a_tracker_that_was_restarted(tmp_path: Path) -> None:
    with tracker_process() as (tracker, process):
        port = int(tracker.rpartition(":")[2])
        with native_agent(tmp_path, "--key", "here", "--tracker", tracker):
            assert becomes_true(lambda: free_boards(tracker) == 1)
            process.kill()
            process.wait()
            with tracker_process(port) as (again, _):
                assert again == tracker
                assert becomes_true(lambda: free_boards(tracker) == 1)
                with open_session(f"tracker://{tracker}/here", timeout_s=LIMIT_S) as session:
                    assert session.isa == machine_isa()


def test_a_password_that_nobody_uses_is_replaced(tmp_path: Path) -> None:
    with (
        tracker_process() as (tracker, _),
        native_agent(tmp_path, "--key", "here", "--tracker", tracker),
    ):
        assert becomes_true(lambda: free_boards(tracker) == 1)
        host, _, port = tracker.rpartition(":")
        taken = rpc.connect_tracker(host, int(port))
        taken._sock.sendall(struct.pack("<i", len(b'[4,"here","",1]')) + b'[4,"here","",1]')
        assert becomes_true(lambda: free_boards(tracker) == 0)
        assert becomes_true(lambda: free_boards(tracker) == 1)


def test_behind_a_tracker_the_key_alone_opens_nothing(tmp_path: Path) -> None:
    with (
        tracker_process() as (tracker, _),
        native_agent(tmp_path, "--key", "here", "--tracker", tracker) as agent,
    ):
        assert becomes_true(lambda: free_boards(tracker) == 1)
        hello = b"client:here"
        answer = _sends(agent.address, struct.pack("<ii", RPC_MAGIC, len(hello)) + hello)
        assert answer == struct.pack("<i", RPC_MAGIC + 2)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        struct.pack("<i", 1),
        struct.pack("<ii", TRACKER_MAGIC, -1),
        struct.pack("<ii", TRACKER_MAGIC, 1 << 30) + b"0" * 100,
        struct.pack("<ii", TRACKER_MAGIC, 2) + b"-1",
    ],
    ids=["nothing", "wrong magic", "negative length", "oversized message", "refusal"],
)
def test_a_tracker_that_talks_nonsense_does_not_end_the_agent(
    tmp_path: Path, answer: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tracker:
        tracker.settimeout(LIMIT_S)
        name = f"127.0.0.1:{tracker.getsockname()[1]}"
        with native_agent(tmp_path, "--key", "here", "--tracker", name) as agent:
            for _ in range(2):  # it asks again
                connection, _ = tracker.accept()
                with connection:
                    connection.sendall(answer)
            assert agent.process.poll() is None


def test_random_handshakes_leave_the_agent_usable(tmp_path: Path) -> None:
    draw = random.Random(0)
    good = struct.pack("<ii", RPC_MAGIC, 7) + b"client:"
    with native_agent(tmp_path) as agent:
        for _ in range(300):
            data = bytearray(good if draw.random() < 0.7 else draw.randbytes(draw.randrange(64)))
            for _ in range(draw.randrange(4)):
                if data:
                    data[draw.randrange(len(data))] = draw.randrange(256)
            _sends(agent.address, bytes(data[: draw.randrange(len(data) + 1)]))
        assert agent.process.poll() is None
        assert _answers(agent.address)
        assert becomes_true(lambda: not psutil.Process(agent.process.pid).children())
        assert becomes_true(lambda: not list(tmp_path.iterdir()))


@pytest.mark.parametrize("length", [-1, 1 << 20, 0x7FFFFFFF])
def test_a_hello_of_impossible_length_is_refused(tmp_path: Path, length: int) -> None:
    with native_agent(tmp_path) as agent:
        assert _sends(agent.address, struct.pack("<ii", RPC_MAGIC, length) + b"x" * 4096) == b""
        assert _answers(agent.address)


def test_a_client_s_time_limit_ends_its_session(tmp_path: Path) -> None:
    with native_agent(tmp_path) as agent:
        host, port = agent.address.host, agent.address.port
        with socket.create_connection((host, port), timeout=LIMIT_S) as connection:
            hello = b"client: -timeout=1"
            connection.sendall(struct.pack("<ii", RPC_MAGIC, len(hello)) + hello)
            assert connection.recv(4) == struct.pack("<i", RPC_MAGIC)
            begin = time.monotonic()
            while connection.recv(64):
                pass
            assert time.monotonic() - begin < LIMIT_S / 2
        assert _answers(agent.address)


def test_a_session_that_hangs_ends_soon_after_its_client(tmp_path: Path) -> None:
    """Else a kernel that never returns would cost the board."""
    with native_agent(tmp_path) as agent:
        remote = rpc.connect(agent.address.host, agent.address.port)
        (session,) = psutil.Process(agent.process.pid).children()
        assert remote.get_function("shufflenet.board_isa")() == machine_isa()
        session.suspend()
        connection = next(
            c
            for c in psutil.Process().net_connections()
            if c.raddr and c.raddr.port == agent.address.port
        )
        with socket.socket(fileno=os.dup(connection.fd)) as ours:
            ours.shutdown(socket.SHUT_RDWR)  # as where the client's machine goes down
        assert becomes_true(lambda: not session.is_running())
        assert _answers(agent.address)


def test_a_session_that_closed_its_descriptors_and_went_on_is_ended(tmp_path: Path) -> None:
    """Its end of the pipe that tells that it lives is closed with them."""
    source = tmp_path / "closes.c"
    source.write_text(CLOSES_AND_GOES_ON, encoding="utf-8")
    library = compiled_once(source, ("-shared", "-fPIC"), ".so")
    work = tmp_path / "work"
    work.mkdir()
    with native_agent(work) as agent:
        remote = rpc.connect(agent.address.host, agent.address.port)
        (session,) = psutil.Process(agent.process.pid).children()
        remote.upload(str(library), "closes.so")
        with pytest.raises((RuntimeError, OSError)):
            call_within(LIMIT_S / 2, remote.load_module, "closes.so", what="loading")
        assert becomes_true(lambda: not session.is_running())
        assert _answers(agent.address)


def test_words_typed_at_the_agent_do_not_end_it(tmp_path: Path) -> None:
    """Its standard input is a person's terminal where it was started by ssh; its end ends it."""
    with native_agent(tmp_path) as agent:
        agent.process.stdin.write(b"hello\n")
        agent.process.stdin.flush()
        assert _answers(agent.address)
        assert agent.process.poll() is None
        agent.process.stdin.close()
        assert becomes_true(lambda: agent.process.poll() == 0)


def test_a_full_board_refuses_a_session_and_serves_the_next(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    with native_agent(work) as agent:
        work.rmdir()
        with pytest.raises(RuntimeError):
            rpc.connect(agent.address.host, agent.address.port)
        work.mkdir()
        assert _answers(agent.address)


@pytest.mark.parametrize("left", [1, 2], ids=["none for the folder", "none for the process"])
def test_without_descriptors_there_is_no_session_and_no_folder(tmp_path: Path, left: int) -> None:
    """Of those that are left the connection takes one."""
    with native_agent(tmp_path) as agent:
        pid = agent.process.pid
        used = {int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()}
        free = [number for number in range(max(used) + 4) if number not in used]
        usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free[left], usual[1]))
        with pytest.raises(RuntimeError):
            rpc.connect(agent.address.host, agent.address.port)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
        assert becomes_true(lambda: not list(tmp_path.iterdir()))
        assert _answers(agent.address)


def test_a_client_without_a_descriptor_for_it_waits_and_does_not_keep_the_agent_busy(
    tmp_path: Path,
) -> None:
    with agent_with_words(tmp_path) as agent:
        address = Address("127.0.0.1", int(agent.stdout.readline().rpartition(":")[2]))
        used = {int(path.name) for path in Path(f"/proc/{agent.pid}/fd").iterdir()}
        usual = resource.prlimit(agent.pid, resource.RLIMIT_NOFILE)
        none_free = next(number for number in range(max(used) + 2) if number not in used)
        resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (none_free, usual[1]))
        with socket.create_connection((address.host, address.port), timeout=LIMIT_S) as client:
            said = "agent: cannot accept a client: Too many open files; trying again every 1 s\n"
            assert agent.stderr.readline() == said
            before = psutil.Process(agent.pid).cpu_times().system
            time.sleep(1.5)  # in which it tries again
            assert psutil.Process(agent.pid).cpu_times().system - before < 0.1
            resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, usual)
            client.sendall(struct.pack("<ii", RPC_MAGIC, 7) + b"client:")
            with client.makefile("rb") as answer:  # whole: what is left unread would reset it
                assert answer.read(4) == struct.pack("<i", RPC_MAGIC)
                (size,) = struct.unpack("<i", answer.read(4))
                assert len(answer.read(size)) == size
        assert "session of" in agent.stderr.readline()  # and nothing before


def test_a_tracker_without_a_name_is_told_with_the_resolver_s_words(tmp_path: Path) -> None:
    words = ("--key", "here", "--tracker", "no.such.host.invalid:9190")
    with agent_with_words(tmp_path, *words) as agent:
        assert re.match(
            r"agent: no tracker at no\.such\.host\.invalid:9190 \(\w.*\); trying again every 2 s",
            agent.stderr.readline(),
        )


@pytest.mark.skipif(psutil.Process().uids().effective != 0, reason="not root: nothing to give up")
def test_a_session_of_an_agent_that_is_root_runs_as_nobody(tmp_path: Path) -> None:
    with native_agent(tmp_path) as agent:
        remote = rpc.connect(agent.address.host, agent.address.port)
        (session,) = psutil.Process(agent.process.pid).children()
        assert session.uids() == session.gids() == (65534, 65534, 65534)
        del remote


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--tracker", "127.0.0.1:1"], "--tracker needs a --key"),
        (["--tracker", "here", "--key", "x"], "HOST:PORT"),
        (["--tracker", "here:9190?key-file=k", "--key", "x"], "HOST:PORT"),
        (["--key", 'x"y'], "letters, digits"),
        (["--user-id", "-1"], "-1"),
        (["--host", "0.0.0.0"], "whoever reaches this port can run code here"),
        (["--host", "0.0.0.0", "--allow-remote"], "--key-file FILE"),
    ],
)
def test_wrong_options_are_refused(words: list[str], fault: str) -> None:
    agent = str(board_bundle(machine_isa()) / "agent")
    done = subprocess.run(
        [agent, "--port", "0", *words], capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 2
    assert fault in done.stderr


def test_an_address_of_another_machine_is_told_apart_from_a_port_that_is_taken(
    tmp_path: Path, key_file: Path
) -> None:
    agent = str(board_bundle(machine_isa()) / "agent")
    words = ("--host", "192.0.2.1", "--allow-remote", "--key-file", str(key_file))
    with native_agent(tmp_path) as other:
        taken = ("--port", str(other.address.port))
        for more, advice in ((("--port", "0", *words), "with --host"), (taken, "another --port")):
            done = subprocess.run(
                [agent, *more, "--work", str(tmp_path)],
                capture_output=True, text=True, timeout=LIMIT_S,
            )  # fmt: skip
            assert done.returncode == 1
            assert advice in done.stderr
