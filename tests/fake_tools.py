"""Programs that say what a test wants, before those of the same name on the PATH."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def fake_tool(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`script`, of a shell, as the program `name` in `folder`."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return program
