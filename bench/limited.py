"""Programs of engines, which may hang: each is given a time, and ended behind it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from model.errors import InputError


class EngineError(InputError):
    """An engine that cannot run the network, or that answers something else."""


def run_limited(
    engine: str, command: Sequence[str], limit_s: float
) -> subprocess.CompletedProcess[str]:
    """What `command`, a program of `engine`, says and how it ends.

    Raises `EngineError` where it takes longer than `limit_s`, and names the command to try.
    """
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise EngineError(
            f"{engine} did not end within {limit_s:g} s: is it hung, or the machine busy? Try it "
            f"by hand: {' '.join(command)}"
        ) from error
