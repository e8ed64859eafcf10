"""The agent's hand-shakes and its talk with a tracker, in a process of their own, sanitised."""

from __future__ import annotations

import atexit
import contextlib
import functools
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

from deploy_rpc.bundle import AGENT_SOURCES, ZIG_TARGETS
from deploy_rpc.compiled_once import zig
from deploy_rpc.host import machine_isa
from tests.fuzz.c_coverage import COUNTING, counting_folder

PROGRAM = Path(__file__).with_name("agent_program.c")
SOURCES = ("handshake.c", "sha256.c", "waiting.c")
GCC_WORDS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1", "-std=c11")

END_LIMIT_S = 10
SHOWN = 4000  # last characters of what a crashed agent said


class AgentCrashError(Exception):
    """The program ended where it should have gone on."""


def greets(messages: list[bytes]) -> None:
    """Each of `messages` to each of the agent's conversations."""
    process = _running()
    for message in messages:
        try:
            process.stdin.write(struct.pack("<I", len(message)) + message)
            process.stdin.flush()
            answer = process.stdout.read(1)
        except BrokenPipeError:
            answer = b""
        if answer != b".":
            _running.cache_clear()
            code, said = process.wait(timeout=END_LIMIT_S), Path(process.args[0] + ".stderr")
            raise AgentCrashError(f"the agent ended with {code}: {said.read_text()[-SHOWN:]}")


@functools.cache
def _running() -> subprocess.Popen[bytes]:
    counted = counting_folder()
    made = (counted or Path(tempfile.gettempdir())) / "fuzzed-agent"
    sources = [str(PROGRAM), *(str(AGENT_SOURCES / name) for name in SOURCES)]
    words = [f"-I{AGENT_SOURCES}", *sources, "-o", str(made)]
    gcc = shutil.which("gcc")
    count = COUNTING if counted else ()
    found = gcc and subprocess.run([gcc, *GCC_WORDS, *count, *words], capture_output=True)
    if not found or found.returncode != 0:  # without AddressSanitizer's library
        zig(["-target", ZIG_TARGETS[machine_isa()], "-fsanitize=undefined", "-O1", *words])
    with Path(f"{made}.stderr").open("wb") as said:
        process = subprocess.Popen(
            [str(made)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said
        )
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    """Lets it come to its end, where it writes what it counted."""
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    process.wait(timeout=END_LIMIT_S)
