"""Linkers are found or named, and what they write is for the target."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from compile import link
from compile.link import Linker, LinkError, find_linker
from compile.targets import parse_target
from deploy_rpc.elf import elf_machine

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
    assert find_linker("ndk", ARM).command == (str(compiler),)


@pytest.mark.parametrize(("home", "said"), [("", "not set"), ("/nowhere", "/nowhere")])
def test_a_missing_ndk_says_where_it_was_looked_for(
    monkeypatch: pytest.MonkeyPatch, home: str, said: str
) -> None:
    monkeypatch.setenv("ANDROID_NDK_HOME", home)
    with pytest.raises(LinkError, match=said):
        find_linker("ndk", ARM)


def test_a_failing_linker_is_quoted(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.o")
    with pytest.raises(LinkError, match=r"missing\.o"):
        find_linker("zig", ARM).link([missing], tmp_path / "out.so")


def test_a_linker_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(link, "LINK_TIMEOUT_S", 0.1)
    hanging = Linker("hanging", ("sh", "-c", "sleep 30", "sh"))
    with pytest.raises(LinkError, match="did not end"):
        hanging.link([], tmp_path / "out.so")
    assert not subprocess.run(["pgrep", "-f", "^sleep 30$"], capture_output=True).stdout
