"""Command lines, run inside the test's own process: what they say, and how they end."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from model.cli import run_command

# Before a program of its own process: TVM imports PyTorch where it is installed, 3 CPU seconds.
WITHOUT_TORCH = "import sys\nsys.modules['torch'] = None\n"


def run_main(
    main: Callable[[list[str]], None], *arguments: object, cwd: Path | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """What the program of `main` makes of `arguments`, run in the folder `cwd`.

    The same as a process of its own would give, without five seconds of imports.
    """
    words = [str(argument) for argument in arguments]
    out, err, status, before = io.StringIO(), io.StringIO(), 0, Path.cwd()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.dict(os.environ, environment),
    ):
        os.chdir(cwd or before)
        try:
            run_command(lambda: main(words))
        except SystemExit as end:
            status = end.code or 0
        finally:
            os.chdir(before)
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())
