"""`python -m tests.limited_builds`: build.py's own main, once for each command line, within limits.

Command lines come as JSON on standard input, and what became of them goes to standard output. Each
runs in a process forked from one that has imported everything, which a build spends most of its
first seconds with, and dies when it takes more than the limits.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

from compile.build import main
from model.cli import run_command

CPU_S = 10
MORE_BYTES = 2_000_000_000  # of address space, beyond what the imports take


def limited_build(words: list[str]) -> dict[str, Any]:
    """Exit code (negative: the signal that killed it), errors, peak bytes of `build.py WORDS`."""
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "stderr"
        child = os.fork()
        if child == 0:
            _build(words, Path(folder), said)
        _, status, usage = os.wait4(child, 0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "said": said.read_text(encoding="utf-8", errors="replace"),
            "left": sorted(path.name for path in Path(folder).iterdir() if path != said),
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
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
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
