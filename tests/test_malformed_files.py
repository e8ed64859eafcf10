"""Malformed files end `build.py` with a clear error, within ten seconds and two gigabytes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.limited_builds import LIMIT_S
from tests.malformed_files import (
    MALFORMED_CHECKPOINTS,
    MALFORMED_ONNX,
    malformed_checkpoint,
    malformed_onnx,
)

ROOT = Path(__file__).resolve().parent.parent
NAMES = [
    *(("--onnx", name) for name in MALFORMED_ONNX),
    *(("--weights", name) for name in MALFORMED_CHECKPOINTS),
]
WRITERS = {"--onnx": malformed_onnx, "--weights": malformed_checkpoint}
PEAK_BYTES = 2_000_000_000

Ends = dict[tuple[str, str], tuple[dict[str, Any], str]]


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Ends:
    """What became of a build of each file, and the pattern of the error it should have."""
    commands, messages = [], []
    for option, name in NAMES:
        path, message = WRITERS[option](name, tmp_path_factory.mktemp("malformed"))
        commands.append(["--target", "host", option, str(path)])
        messages.append(message)
    done = subprocess.run(
        [sys.executable, "-m", "tests.limited_builds"], cwd=ROOT, input=json.dumps(commands),
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(zip(NAMES, zip(json.loads(done.stdout), messages, strict=True), strict=True))


@pytest.mark.parametrize("name", NAMES, ids=" ".join)
def test_a_malformed_file_ends_in_a_clear_error_soon(name: tuple[str, str], ends: Ends) -> None:
    end, message = ends[name]
    assert (end["code"], end["left"]) == (1, []), end
    assert end["said"].startswith("error: ")
    assert re.search(message, end["said"]), end["said"]
    assert "Traceback" not in end["said"]
    assert max(end["wall_s"], end["cpu_s"]) < LIMIT_S
    assert end["peak_bytes"] < PEAK_BYTES
