"""ELF headers: which machine a library is for, and what is no library at all."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from deploy_rpc.elf import LibraryError, elf_machine
from tests.tiny_library import tiny_library


@pytest.fixture(scope="module", params=["x86_64", "aarch64"])
def library(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    return request.param, tiny_library(tmp_path_factory.mktemp("elf"), request.param)


def test_machine_of_a_built_library_is_its_target_s(library: tuple[str, Path]) -> None:
    isa, path = library
    assert elf_machine(path) == isa


def test_every_truncation_of_a_library_is_noticed(
    library: tuple[str, Path], tmp_path: Path
) -> None:
    content = library[1].read_bytes()
    cut = tmp_path / "cut.so"
    for size in (4, 15, 16, 40, 63, 64, 500, len(content) // 2, len(content) - 1):
        cut.write_bytes(content[:size])
        with pytest.raises(LibraryError, match="truncated"):
            elf_machine(cut)


def test_a_file_that_is_no_elf_file_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.so"
    for content in (b"", b"\x7fEL", b"#!/bin/sh\n"):
        text.write_bytes(content)
        with pytest.raises(LibraryError, match="no ELF file"):
            elf_machine(text)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.so", tmp_path):
        with pytest.raises(LibraryError, match="cannot read"):
            elf_machine(path)


@pytest.mark.parametrize(
    ("kind", "machine", "message"),
    [(1, 183, "ELF type 1"), (2, 62, "ELF type 2"), (3, 243, "ELF machine 243")],
)
def test_object_files_programs_and_other_machines_are_refused(
    tmp_path: Path, kind: int, machine: int, message: str
) -> None:
    path = tmp_path / "other.so"
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    path.write_bytes(ident + struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, *[0] * 10))
    with pytest.raises(LibraryError, match=message):
        elf_machine(path)


def test_a_32_bit_arm_library_is_named(tmp_path: Path) -> None:
    path = tmp_path / "arm.so"
    ident = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    path.write_bytes(ident + struct.pack("<HHIIIIIHHHHHH", 3, 40, 1, *[0] * 10))
    assert elf_machine(path) == "arm"
