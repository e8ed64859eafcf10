"""Lines of C that ran are counted by file, over several programs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.fuzz.c_coverage import COUNTING, CoverageError, lines_reached

SOURCE = """\
int main(int count, char **words) {
  (void)words;
  if (count == 2)
    return 2;
  if (count == 3)
    return 3;
  return 0;
}
"""


def counted(folder: Path, words: int) -> Path:
    """A program in the agent's folder, compiled to count, run with so many words."""
    source = folder / "agent" / "words.c"
    source.parent.mkdir(exist_ok=True)
    source.write_text(SOURCE)
    made = folder / f"program-{words}"
    subprocess.run(["gcc", "-O0", *COUNTING, str(source), "-o", str(made)], check=True)
    subprocess.run([str(made), *["word"] * words], check=False)
    return made


def test_lines_that_any_of_the_programs_reached_count_once(tmp_path: Path) -> None:
    counted(tmp_path, 0)
    reached, of = lines_reached(tmp_path)["words.c"]
    assert 0 < reached == of - 2  # both returns within an if
    counted(tmp_path, 1)
    assert lines_reached(tmp_path) == {"words.c": (of - 1, of)}


def test_that_nothing_was_counted_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CoverageError, match="did not end as they should"):
        lines_reached(tmp_path)
