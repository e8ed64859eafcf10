"""A .tar.gz of files in one folder; the same files make the same bytes."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Collection, Mapping
from pathlib import Path

from model.cli import write_atomically
from model.errors import InputError


class ArchiveError(InputError):
    """A file that cannot be written."""


def write_archive(
    out: Path, folder: str, files: Mapping[str, bytes], programs: Collection[str]
) -> None:
    """Writes `files` as `folder`/NAME, those in `programs` executable; whole or not at all.

    Prints each with its size. Raises `ArchiveError` where `out` cannot be written.
    """
    try:
        write_atomically(out, lambda temporary: _write(temporary, folder, files, programs))
    except OSError as error:
        raise ArchiveError(
            f"cannot write {out}: {os.strerror(error.errno)}; name a folder you can write to"
        ) from error
    for name, content in files.items():
        print(f"  {folder}/{name}  {len(content):,} bytes")
    print(f"{out}  {out.stat().st_size:,} bytes")


def _write(path: Path, folder: str, files: Mapping[str, bytes], programs: Collection[str]) -> None:
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(content)
            entry.mode = 0o755 if name in programs else 0o644
            archive.addfile(entry, io.BytesIO(content))
