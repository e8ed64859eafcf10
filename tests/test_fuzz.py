"""A short run of every fuzzer, the same inputs each time; the long one: `python -m tests.fuzz`."""

from __future__ import annotations

import threading
from functools import partial
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from pathlib import Path

import onnx
import pytest
from hypothesis import strategies as st

from compile.frontend.onnx_file import OnnxError, load_onnx
from compile.frontend.onnx_import import import_onnx
from model.errors import InputError
from tests.fuzz.__main__ import Tally, fuzz, fuzz_for
from tests.fuzz.edits import CORPUS
from tests.fuzz.held import MOST_GROWTH_BYTES, GrowthError
from tests.fuzz.parsers import PARSERS, Parser
from tests.fuzz.sanitised import CrashError, FedProgram, compile_sanitised, gcc_sanitizes


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.parametrize("name", PARSERS)
def test_sound_inputs_are_taken_and_edits_of_them_taken_or_refused(name: str) -> None:
    """If the sound ones were refused, so would all edits be, for that reason."""
    for value in PARSERS[name].sound:
        PARSERS[name].parse(value)
    tally = Tally()
    fuzz(PARSERS[name], PARSERS[name].examples, 1, tally)
    PARSERS[name].end()
    assert tally.taken + tally.refused >= PARSERS[name].examples // 2


def test_only_what_nobody_can_guess_or_reach_has_no_sound_input() -> None:
    without = {name for name, parser in PARSERS.items() if not parser.sound}
    assert without == {"tracker", "agent's proof"}


def test_a_parser_that_fails_in_another_way_is_found() -> None:
    def parse(text: bytes) -> None:
        if len(text) > 3:
            raise InputError("too long")
        if text.startswith(b"x"):
            raise ValueError("a fault")

    with pytest.raises(ValueError, match="a fault"):
        fuzz(Parser(st.binary(), parse, 0), 2000, 1, Tally())


@pytest.mark.parametrize("what", ["memory", "threads", "files", "temporary files"])
def test_a_parser_that_gives_something_not_back_is_found(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fuzz.__main__.EXAMPLES", 30)
    kept, until = [], threading.Event()

    def parse(text: bytes) -> None:
        if what == "memory":
            kept.append(mmap(-1, MOST_GROWTH_BYTES // 10, flags=MAP_PRIVATE | MAP_ANONYMOUS))
            kept[-1].write(b"x" * (MOST_GROWTH_BYTES // 10))
        elif what == "threads":
            threading.Thread(target=until.wait).start()
        elif what == "files":
            kept.append((tmp_path / "file").open("wb"))
        else:
            (tmp_path / text.hex()).touch()

    try:
        with pytest.raises(GrowthError, match="expected no more than"):
            fuzz_for(Parser(st.binary(max_size=8), parse, 0), 0.1, 1)
    finally:
        until.set()
        for each in kept:
            each.close()


LEAKY = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
int main(void) {
  uint32_t size;
  char message[64];
  while (fread(&size, sizeof size, 1, stdin) == 1 && fread(message, 1, size, stdin) == size) {
    volatile char *bytes = malloc(10);
    bytes[size] = 1;
    if (size < 5) free((void *)bytes);
    bytes = NULL;
    putchar('.');
    fflush(stdout);
  }
  return 0;
}
"""


@pytest.fixture
def leaky(tmp_path: Path) -> FedProgram:
    """A program that keeps messages of more than four bytes, and has no room for ten."""
    if not gcc_sanitizes():
        pytest.skip("gcc has no AddressSanitizer (Debian: `apt-get install gcc`)")
    source = tmp_path / "leaky.c"
    source.write_text(LEAKY)
    return FedProgram("leaky", partial(compile_sanitised, [str(source)]))


def test_a_program_that_leaks_is_found_at_its_end(leaky: FedProgram) -> None:
    assert leaky.feed(b"four", 1) == b"."
    leaky.end()
    assert leaky.feed(b"seven", 1) == b"."
    with pytest.raises(CrashError, match="detected memory leaks"):
        leaky.end()


def test_a_program_that_writes_beyond_its_memory_is_found_at_once(leaky: FedProgram) -> None:
    with pytest.raises(CrashError, match="leaky ended with"):
        leaky.feed(b"ten and more", 1)
    leaky.end()


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(OnnxError, match="no UTF-8"):
        load_onnx(CORPUS / "network.no_text.onnx")


def test_shapes_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    model = onnx.load(CORPUS / "graph.onnx")
    (concat,) = (node for node in model.graph.node if node.op_type == "Concat")
    del concat.input[0]
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(OnnxError, match=r"shapes do not fit: .*mismatch"):
        import_onnx(tmp_path / "net.onnx", input_size=None, preprocessing="imagenet")
