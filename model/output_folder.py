"""The folder that a command writes to, known to take files before the work, not after it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from model.errors import InputError


class OutputFolderError(InputError):
    """A folder that cannot be written to, or that holds what must not be written over."""


def make_output_folder(folder: Path) -> None:
    """Makes `folder` where there is none; raises `OutputFolderError` unless files can be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputFolderError(
            f"cannot write to the folder {folder}: {os.strerror(error.errno)}; "
            "name one that you can write to"
        ) from error
