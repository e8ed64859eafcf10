"""What the header of a shared library says: the machine it is for, and whether it is whole."""

from __future__ import annotations

import struct
from pathlib import Path

from model.errors import InputError

MAGIC = b"\x7fELF"
SHARED_OBJECT = 3  # ET_DYN
CLASSES = {1: 32, 2: 64}
MACHINES = {40: "arm", 62: "x86_64", 183: "aarch64"}

# ELF specification: e_type, e_machine, e_version, e_entry, e_phoff, e_shoff, e_flags, e_ehsize,
# e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx
HEADERS = {32: "HHIIIIIHHHHHH", 64: "HHIQQQIHHHHHH"}
IDENT_BYTES = 16
# p_offset and p_filesz, as offset in a program header and format
SEGMENTS = {32: ((4, "I"), (16, "I")), 64: ((8, "Q"), (32, "Q"))}


class LibraryError(InputError):
    """A file that is not a whole shared library for a machine we know."""


def elf_machine(path: Path) -> str:
    """The machine of the shared library at `path`: `x86_64`, `aarch64` or `arm` (32 bits).

    Raises `LibraryError` where the file cannot be read, is no ELF file, no shared library, for
    another machine, or shorter than its header says.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LibraryError(f"cannot read {path}: {error.strerror}; name a built .so") from error
    if content[:4] != MAGIC:
        raise LibraryError(
            f"expected a shared library, but {path} is no ELF file; name a built .so"
        )
    return _machine(path, content)


def _machine(path: Path, content: bytes) -> str:
    bits = CLASSES.get(content[4]) if len(content) > IDENT_BYTES else None
    if bits is None:
        raise _truncated(path, len(content), IDENT_BYTES)
    order = "<" if content[5] == 1 else ">"
    header = order + HEADERS[bits]
    if len(content) < IDENT_BYTES + struct.calcsize(header):
        raise _truncated(path, len(content), IDENT_BYTES + struct.calcsize(header))
    fields = struct.unpack_from(header, content, IDENT_BYTES)
    if fields[0] != SHARED_OBJECT:
        raise LibraryError(
            f"expected a shared library, but {path} has ELF type {fields[0]} (1 is an object "
            "file, 2 a program); name a built .so"
        )
    if fields[1] not in MACHINES:
        raise LibraryError(
            f"expected a library for {', '.join(MACHINES.values())}, but {path} is for ELF "
            f"machine {fields[1]}; build it for one of these"
        )
    needed = _needed_bytes(content, order, bits, fields)
    if len(content) < needed:
        raise _truncated(path, len(content), needed)
    return MACHINES[fields[1]]


def _needed_bytes(content: bytes, order: str, bits: int, fields: tuple[int, ...]) -> int:
    """Bytes that the section table and the loaded segments reach up to."""
    segment_table, section_table = fields[4], fields[5]
    segment_bytes, segments, section_bytes, sections = fields[8:12]
    needed = max(segment_table + segment_bytes * segments, section_table + section_bytes * sections)
    if len(content) < needed:
        return needed
    (offset_at, word), (size_at, _) = SEGMENTS[bits]
    for start in range(segment_table, segment_table + segment_bytes * segments, segment_bytes or 1):
        (offset,) = struct.unpack_from(order + word, content, start + offset_at)
        (size,) = struct.unpack_from(order + word, content, start + size_at)
        needed = max(needed, offset + size)
    return needed


def _truncated(path: Path, found: int, needed: int) -> LibraryError:
    return LibraryError(
        f"{path} is truncated: {found} bytes, where its header needs {needed}; copy or build it "
        "again"
    )
