"""C programs of the fuzzers: made with sanitizers, fed messages, asked for leaks at their end."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy_rpc.bundle import ZIG_TARGETS
from deploy_rpc.compiled_once import zig
from deploy_rpc.host import machine_isa
from tests.fuzz.c_coverage import COUNTING, counting_folder

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
OPTIONS = {  # what is freed is kept for a while; a little of it, for memory that grows to be seen
    "ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=8:thread_local_quarantine_size_kb=64"
}
END_LIMIT_S = 60  # it looks for leaks there
SHOWN = 4000  # last characters of what a crashed program said


class CrashError(Exception):
    """A program ended where it should have gone on, or had leaked when it ended."""


class FedProgram:
    """A program of that `name`, started when it is fed and does not run.

    `make` compiles it to a path, once for each folder of temporary files.
    """

    def __init__(self, name: str, make: Callable[[Path], None]) -> None:
        self._name, self._make = name, make
        self._process: subprocess.Popen[bytes] | None = None

    def feed(self, message: bytes, answer_bytes: int) -> bytes:
        """Its answer to `message`; raises `CrashError` with what it said where there is none."""
        process = self._process or self._started()
        answer = b""
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(struct.pack("<I", len(message)) + message)
            process.stdin.flush()
            answer = process.stdout.read(answer_bytes)
        if len(answer) != answer_bytes:
            self._process = None
            raise CrashError(self._last_words(process))
        return answer

    def end(self) -> None:
        """Lets it come to its end, where it counts lines and leaks; raises `CrashError`."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
        if process.wait(timeout=END_LIMIT_S) != 0:
            raise CrashError(self._last_words(process))

    def _started(self) -> subprocess.Popen[bytes]:
        made = (counting_folder() or Path(tempfile.gettempdir())) / self._name
        if not made.exists():
            self._make(made)
        with Path(f"{made}.stderr").open("wb") as said:
            self._process = subprocess.Popen(
                [str(made)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env=os.environ | OPTIONS,
            )
        return self._process

    def _last_words(self, process: subprocess.Popen[bytes]) -> str:
        code, said = process.wait(timeout=END_LIMIT_S), Path(f"{process.args[0]}.stderr")
        return f"{self._name} ended with {code}: {said.read_text(errors='replace')[-SHOWN:]}"


def compile_sanitised(words: Sequence[str], made: Path) -> None:
    """Compiles C to the program `made`: by gcc, where it has AddressSanitizer, or else by zig."""
    if gcc_sanitizes():
        count = COUNTING if counting_folder() else ()
        flags = (*SANITIZERS, *count, "-g", "-O1", "-std=c11")
        subprocess.run(["gcc", *flags, *words, "-o", str(made)], check=True)
    else:
        target = ZIG_TARGETS[machine_isa()]
        zig(["-target", target, "-fsanitize=undefined", "-O1", *words, "-o", str(made)])


@functools.cache
def gcc_sanitizes() -> bool:
    """Whether there is a gcc with the libraries of both sanitizers."""
    if shutil.which("gcc") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        words = ["gcc", *SANITIZERS, "-x", "c", "-", "-o", f"{folder}/program"]
        return subprocess.run(words, input=b"int main(void) { return 0; }", check=False,
                              capture_output=True).returncode == 0  # fmt: skip
