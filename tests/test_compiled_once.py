"""A C source is compiled on first use, and again only when it or the command changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy_rpc import compiled_once as module
from deploy_rpc.compiled_once import CompileError, compiled_once

WORDS = ("-target", "aarch64-linux-musl", "-c")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "user_cache_path", lambda _: tmp_path / "cache")
    file = tmp_path / "answer.c"
    file.write_text("int answer(void) { return 42; }\n", encoding="ascii")
    return file


def test_the_second_call_takes_what_the_first_one_made(source: Path) -> None:
    first = compiled_once(source, WORDS, ".o")
    made = first.stat().st_mtime_ns
    assert compiled_once(source, WORDS, ".o") == first
    assert first.stat().st_mtime_ns == made
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_another_source_or_command_is_another_file(source: Path) -> None:
    first = compiled_once(source, WORDS, ".o")
    optimised = compiled_once(source, (*WORDS, "-O1"), ".o")
    source.write_text("int answer(void) { return 43; }\n", encoding="ascii")
    assert len({first, optimised, compiled_once(source, WORDS, ".o")}) == 3


def test_a_source_that_does_not_compile_is_an_error_with_the_compiler_s_words(source: Path) -> None:
    source.write_text("int answer(void) { return none; }\n", encoding="ascii")
    with pytest.raises(CompileError, match=r"zig failed: .*undeclared identifier 'none'"):
        compiled_once(source, WORDS, ".o")


def test_a_cache_that_cannot_be_written_says_how_to_name_another(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "user_cache_path", lambda _: source)  # a file, not a folder
    with pytest.raises(CompileError, match=r"cannot write to .*point XDG_CACHE_HOME"):
        compiled_once(source, WORDS, ".o")
