"""`python -m tests.limited_builds`: build.py's own main, once for each command line, within limits.

Command lines come as JSON on standard input, and what became of them goes to standard output. Each
runs in a process forked from one that has imported everything, and dies when it takes more than the
limits. They are without the imports: 2.4 CPU seconds (EPYC, November 2026), of any file the same.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from compile.build import main
from model.cli import run_command

LIMIT_S = 10  # by the clock and of CPU time
MORE_BYTES = 2_000_000_000  # of address space, beyond what the imports take


def limited_build(words: list[str]) -> dict[str, Any]:
    """Exit code (negative: the signal that killed it), errors, peak bytes of `build.py WORDS`."""
    with tempfile.TemporaryDirectory() as folder:
        said, begun = Path(folder) / "stderr", time.monotonic()
        child = os.fork()
        if child == 0:
            _build(words, Path(folder), said)
        _, status, usage = os.wait4(child, 0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "said": said.read_text(encoding="utf-8", errors="replace"),
            "left": sorted(path.name for path in Path(folder).iterdir() if path != said),
            "wall_s": time.monotonic() - begun,
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "peak_bytes": 1024 * usage.ru_maxrss,
        }


def _build(words: list[str], folder: Path, said: Path) -> None:
    """In the child; does not return."""
    os.chdir(folder)
    sys.argv = ["build.py", *words]
    for stream, path in ((1, os.devnull), (2, said)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MORE_BYTES, now + MORE_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S))
    signal.alarm(LIMIT_S)
    code = 1
    try:
        run_command(main)
    except SystemExit as leaving:
        code = leaving.code
    except BaseException as error:  # what the interpreter would show as a traceback
        print(f"Traceback: {type(error).__name__}: {error}", file=sys.stderr)
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    print(json.dumps([limited_build(words) for words in json.load(sys.stdin)]))
