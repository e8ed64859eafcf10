"""Linkers are found or named, and what they write is for the target."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from compile import link
from compile.link import Linker, LinkError, find_host_linker, find_linker
from compile.targets import parse_target, with_abi
from deploy_rpc.elf import elf_machine
from tests.agents import becomes_true

ARM = parse_target("arm_cpu")


@pytest.fixture(scope="module")
def c_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("c") / "answer.c"
    path.write_text("int answer(void) { return 42; }\n")
    return path


@pytest.mark.parametrize(("target", "machine"), [("arm_cpu", "aarch64"), ("rpi5", "aarch64")])
def test_zig_links_for_the_target(
    c_source: Path, tmp_path: Path, target: str, machine: str
) -> None:
    output = tmp_path / "answer.so"
    find_linker("auto", parse_target(target)).link([str(c_source)], output)
    assert elf_machine(output) == machine


def test_the_host_is_linked_for_too(c_source: Path, tmp_path: Path) -> None:
    target, output = parse_target("host"), tmp_path / "answer.so"
    find_linker("zig", target).link([str(c_source)], output)
    assert elf_machine(output) == target.core.isa


def test_a_missing_gnu_compiler_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LinkError, match="gcc-aarch64-linux-gnu"):
        find_linker("gnu", ARM)


def test_a_missing_zig_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "find_spec", lambda name: None)
    with pytest.raises(LinkError, match="pip install ziglang"):
        find_linker("auto", ARM)


def test_an_ndk_is_found_where_its_variable_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compiler = tmp_path / "toolchains/llvm/prebuilt/linux-x86_64/bin/aarch64-linux-android24-clang"
    compiler.parent.mkdir(parents=True)
    compiler.touch()
    monkeypatch.setenv("ANDROID_NDK_HOME", str(tmp_path))
    assert find_linker("ndk", with_abi(ARM, "android")).command == (str(compiler),)


@pytest.mark.parametrize(("home", "said"), [("", "not set"), ("/nowhere", "/nowhere")])
def test_a_missing_ndk_says_where_it_was_looked_for(
    monkeypatch: pytest.MonkeyPatch, home: str, said: str
) -> None:
    monkeypatch.setenv("ANDROID_NDK_HOME", home)
    with pytest.raises(LinkError, match=said):
        find_linker("ndk", with_abi(ARM, "android"))


def test_the_ndk_is_for_android_only() -> None:
    with pytest.raises(LinkError, match="bionic, not for aarch64-linux-gnu; ask for --abi android"):
        find_linker("ndk", ARM)


def test_this_machine_is_linked_for_with_the_linker_asked_for_where_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "find_spec", lambda name: None)
    monkeypatch.setattr(link.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert find_host_linker("gnu").name == "gnu"
    with pytest.raises(LinkError, match="pip install ziglang"):
        find_host_linker("ndk")


def test_a_failing_linker_is_quoted(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.o")
    with pytest.raises(LinkError, match=r"missing\.o"):
        find_linker("zig", ARM).link([missing], tmp_path / "out.so")


def test_a_linker_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(link, "LINK_TIMEOUT_S", 0.1)
    seconds = f"30.{os.getpid()}"  # no other program's
    hanging = Linker("hanging", ("sh", "-c", f"sleep {seconds}", "sh"), ())
    with pytest.raises(LinkError, match="did not end"):
        hanging.link([], tmp_path / "out.so")
    sleeping = ["pgrep", "-f", f"^sleep {seconds}$"]
    assert becomes_true(lambda: not subprocess.run(sleeping, capture_output=True).stdout)


@pytest.mark.parametrize("target", ["arm_cpu", "host"])
def test_android_needs_nothing_but_bionic_s_functions_and_16_kib_pages(
    target: str, tmp_path: Path
) -> None:
    (tmp_path / "good.c").write_text("#include <stdlib.h>\nvoid f(void *p) { free(p); }\n")
    (tmp_path / "bad.c").write_text("void glibc_only(void);\nvoid f(void) { glibc_only(); }\n")
    android = with_abi(parse_target(target), "android")
    linker, output = find_linker("zig", android), tmp_path / "out.so"
    linker.link([str(tmp_path / "good.c")], output)
    assert elf_machine(output) == android.core.isa
    content = output.read_bytes()
    assert b"libc.so\0" in content
    assert b"GLIBC" not in content
    assert {alignment % 0x4000 for alignment in segment_alignments(content)} == {0}
    with pytest.raises(LinkError, match="undefined symbol: glibc_only"):
        linker.link([str(tmp_path / "bad.c")], tmp_path / "bad.so")


def segment_alignments(content: bytes) -> list[int]:
    """p_align of the loaded segments of a 64-bit ELF file."""
    (table,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    headers = [content[table + i * size : table + (i + 1) * size] for i in range(count)]
    loaded = [header for header in headers if struct.unpack_from("<I", header)[0] == 1]
    return [struct.unpack_from("<Q", header, 48)[0] for header in loaded]


def test_the_ndk_is_taken_for_android_where_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compiler = tmp_path / "toolchains/llvm/prebuilt/linux-x86_64/bin/aarch64-linux-android24-clang"
    compiler.parent.mkdir(parents=True)
    compiler.touch()
    monkeypatch.setenv("ANDROID_NDK_HOME", str(tmp_path))
    android = with_abi(ARM, "android")
    assert find_linker("auto", android).name == "ndk"
    assert find_linker("auto", ARM).name == "zig"
    assert find_linker("ndk", android).archiver == (str(compiler.with_name("llvm-ar")),)


def test_gnu_is_for_glibc_only() -> None:
    with pytest.raises(LinkError, match="links with glibc, not for aarch64-linux-musl"):
        find_linker("gnu", with_abi(ARM, "musl"))


def test_a_long_complaint_is_cut(tmp_path: Path) -> None:
    source = tmp_path / "wrong.c"
    source.write_text("".join(f"wrong_{line} here;\n" for line in range(50)))
    with pytest.raises(LinkError) as error:
        find_linker("zig", ARM).link([str(source)], tmp_path / "out.so")
    assert len(str(error.value).splitlines()) < 25
