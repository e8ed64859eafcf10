"""The last line of a log, where a crash tore it: found, and set aside before others are written."""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable
from pathlib import Path

from compile.tuning.log_file import append_bytes, beside

Warn = Callable[[str], None]


def set_torn_aside(path: Path, warn: Warn) -> None:
    """Moves a torn last line of `path` to `<file>.torn`, and says so; under the file's lock."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("r+b") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            sound = sound_length(text)
            torn = text[sound:]
        if torn:
            aside = beside(path, ".torn")
            append_bytes(aside, torn.removesuffix(b"\n") + b"\n")
            file.truncate(sound)
            warn(f"{path}: moved a torn last line of {len(torn)} bytes to {aside}")


def sound_length(text: bytes | mmap.mmap) -> int:
    """The length of `text` without a torn last line: one without newline, or that is no JSON."""
    size = len(text)
    start = text.rfind(b"\n", 0, max(size - 1, 0)) + 1
    is_sound = size == 0 or (text[-1:] == b"\n" and _is_json(text[start:]))
    return size if is_sound else start


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return True
