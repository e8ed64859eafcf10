"""python -m tests.fuzz.c_coverage [--seconds N]: lines of our C that its fuzzers reach.

gcc counts them in the agent's conversations and in the C functions of a library while `tests.fuzz`
runs in a process of its own, whose end writes the counts; gcov reads them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from model.cli import positive_int, run_command
from model.errors import InputError

FOLDER = "FUZZ_C_COVERAGE"  # names the folder of the counts to the process that fuzzes
COUNTING = ("--coverage", "-fprofile-update=atomic")
PARSERS = ("agent", "C interface", "C interface, by TVM")
OUR_FOLDERS = ("agent", "interface")


class CoverageError(InputError):
    """No compiler that counts, or nothing counted."""


def main(arguments: list[str] | None = None) -> None:
    """Fuzzes, then prints a line a file."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.c_coverage", description="Lines of our C that fuzzers reach."
    )
    parser.add_argument("--seconds", type=positive_int, default=60, metavar="N",
        help="for each of the three fuzzers (default: 60)")  # fmt: skip
    options = parser.parse_args(arguments)
    for tool in ("gcc", "gcov"):
        if shutil.which(tool) is None:
            raise CoverageError(f"expected {tool} on the PATH; Debian: `apt-get install gcc`")
    with tempfile.TemporaryDirectory() as name:
        words = ["--seconds", str(options.seconds), *PARSERS]
        subprocess.run(
            [sys.executable, "-m", "tests.fuzz", *words],
            env=os.environ | {FOLDER: name},
            check=True,
        )
        reached = lines_reached(Path(name))
    for source, (lines, of) in sorted(reached.items()):
        print(f"{source}: {lines} of {of} lines, {lines / of:.0%}")


def counting_folder() -> Path | None:
    """Where this process has its C count lines; None where it need not."""
    return Path(os.environ[FOLDER]) if FOLDER in os.environ else None


def lines_reached(folder: Path) -> dict[str, tuple[int, int]]:
    """Of each of our C files with counts in `folder`: lines that ran, and lines with code.

    Raises `CoverageError` where there is none.
    """
    counts: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for data in folder.rglob("*.gcda"):
        command = ["gcov", "--json-format", "--stdout", data.name]
        done = subprocess.run(command, cwd=data.parent, capture_output=True, check=True)
        for file in json.loads(done.stdout)["files"]:
            path = Path(file["file"])
            if path.parent.name in OUR_FOLDERS:
                for line in file["lines"]:
                    counts[path.name][line["line_number"]] += line["count"]
    if not counts:
        raise CoverageError(
            f"no counts of our C in {folder}: the fuzzers did not end as they should"
        )
    return {
        name: (sum(count > 0 for count in lines.values()), len(lines))
        for name, lines in counts.items()
    }


if __name__ == "__main__":
    run_command(main)
