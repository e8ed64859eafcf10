"""The same inputs give the same library, to the byte: in another folder, process and year."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from bench.provenance import REPOSITORY
from compile.library import build_library
from compile.link import find_linker
from compile.lower import lower
from compile.targets import parse_target
from tests.small_networks import small_network

LATER = """
import json, sys, time
from pathlib import Path
begin = time.time()
time.time = lambda: begin + 400 * 24 * 3600
from tests.test_reproducible import digests_of_builds
print(json.dumps(digests_of_builds(Path(sys.argv[1]))))
"""


def digests_of_builds(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of two libraries, built in `folder`."""
    digests = {}
    for name, threads in (("host", 1), ("arm_cpu", 2)):
        target = parse_target(name)
        (folder / name).mkdir(parents=True)
        lowered = lower(small_network(), "fused", target, threads=threads)
        library = build_library(
            lowered,
            target,
            find_linker("auto", target),
            folder / name / "small.so",
            static=name == "arm_cpu",
        )
        for file in library.files:
            digests[f"{name} {file.suffix}"] = hashlib.sha256(file.read_bytes()).hexdigest()
    return digests


def test_a_library_is_the_same_bytes_wherever_and_whenever_it_is_built(tmp_path: Path) -> None:
    elsewhere = tmp_path / "a folder" / "with another name"
    surroundings = {"PYTHONPATH": str(REPOSITORY), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    done = subprocess.run(
        [sys.executable, "-c", LATER, str(elsewhere)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | surroundings,
        timeout=240,
    )
    there = json.loads(done.stdout.splitlines()[-1])
    assert len(there) == 5
    assert there == digests_of_builds(tmp_path / "here")
