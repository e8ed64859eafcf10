"""`python -m tests.permutations`: is every permutation of a tensor held by a test?

A shuffle the wrong way round, the halves of a concat in the other order or weights packed along
another axis make a network that runs as fast, and answers wrong. Each row of `PERMUTATIONS` is one
line of the compiler that permutes, and that line with the permutation inverted. In a copy of the
repository every line is inverted by itself, and the tests beside it have to fail.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.permuting_lines import PERMUTATIONS, Permutation

ROOT = Path(__file__).resolve().parent.parent
LOADED_ONCE = ("numpy", "onnx", "onnxruntime", "torch", "tvm.relax", "scipy.stats", "xgboost")


def main() -> None:
    """A line for each permutation: who noticed; exits 1 where nobody did."""
    parser = argparse.ArgumentParser(prog="python -m tests.permutations", description=__doc__)
    add = parser.add_argument
    add("--only", nargs="+", default=[""], metavar="WORDS", help="those with these in their name")
    only = parser.parse_args().only
    chosen = [each for each in PERMUTATIONS if any(words in each.what for words in only)]
    for package in LOADED_ONCE:
        importlib.import_module(package)
    missed = []
    with tempfile.TemporaryDirectory(prefix="permutations-") as folder:
        copy = _copied(Path(folder))
        for permutation in chosen:
            noticed = _is_noticed(permutation, copy)
            name, words = permutation.tests
            verdict = f"tests/{name}.py -k '{words}'" if noticed else "NOBODY"
            print(f"{permutation.what} ({permutation.file}): noticed by {verdict}", flush=True)
            missed += [] if noticed else [permutation.what]
    sys.exit(f"held by no test: {', '.join(missed)}" if missed else 0)


def inverted(permutation: Permutation, root: Path = ROOT) -> str:
    """The file with the permutation inverted; raises `ValueError` unless its line is there once."""
    text = (root / permutation.file).read_text(encoding="utf-8")
    if text.count(permutation.line) != 1:
        raise ValueError(
            f"{permutation.file} holds {permutation.line!r} {text.count(permutation.line)} times"
        )
    return text.replace(permutation.line, permutation.inverted)


def _copied(folder: Path) -> Path:
    """The tracked files as they are now."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def _is_noticed(permutation: Permutation, copy: Path) -> bool:
    """Whether a test fails; one that cannot even be collected is no witness."""
    path = copy / permutation.file
    before = path.read_text(encoding="utf-8")
    path.write_text(inverted(permutation, copy), encoding="utf-8")
    try:
        return _exit_code(copy, *permutation.tests) == 1
    finally:
        path.write_text(before, encoding="utf-8")


def _exit_code(copy: Path, name: str, words: str) -> int:
    """Of pytest, in a fork of this process, which has the large packages loaded."""
    child = os.fork()
    if child == 0:
        os._exit(_run_tests(copy, name, words))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _run_tests(copy: Path, name: str, words: str) -> int:
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    del sys.modules["tests"]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", words]
    return int(pytest.main([f"tests/{name}.py", *options]))


if __name__ == "__main__":
    main()
