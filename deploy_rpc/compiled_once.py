"""Our C sources for this machine and for emulated ones, compiled on first use and then kept."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from platformdirs import user_cache_path

from model.errors import InputError
from model.temporary import temporary_folder

LIMIT_S = 300  # zig builds its C library on first use, up to a minute on two cores
FIXED = ("-O2", "-s")  # the same for all, as zig builds another C library for each combination


class CompileError(InputError):
    """A C source of ours cannot be compiled here."""


def compiled_once(source: Path, words: tuple[str, ...], suffix: str) -> Path:
    """What `zig cc WORDS SOURCE` makes, out of the user's cache where it is there already.

    The name changes with the sources in the folder, the words and zig, so nothing stale is used.
    Two programs may ask at once. Raises `CompileError`.
    """
    sources = sorted(source.parent.glob("*.[ch]"))
    texts = [file.read_text(encoding="utf-8") for file in sources]
    parts = [*texts, *FIXED, *words, version("ziglang")]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    folder = user_cache_path("shufflenet-compiled") / "cycle_model"
    output = folder / f"{source.stem}-{digest}{suffix}"
    if not output.exists():
        _make(output, [*words, str(source)])
    return output


def zig(words: list[str]) -> None:
    """Runs `zig cc WORDS`, optimised and stripped; raises `CompileError` with its first error."""
    command = [sys.executable, "-m", "ziglang", "cc", *FIXED, *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise CompileError(f"zig did not end within {LIMIT_S} s: {' '.join(command)}") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        first = next((line for line in lines if "error" in line), lines[0])
        raise CompileError(f"zig failed: {first.strip()}; try it by hand: {' '.join(command)}")


def _make(output: Path, words: list[str]) -> None:
    """Compiles beside `output` and renames: whole or not at all, whoever else asks."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(".making-", output.parent) as folder:
            made = folder / output.name
            zig([*words, "-o", str(made)])
            made.replace(output)
    except OSError as error:
        raise CompileError(
            f"cannot write to {output.parent}: {error.strerror}; point XDG_CACHE_HOME to a folder "
            "you can write to"
        ) from error
