"""The agent's HMAC-SHA-256 in C gives what Python's does."""

from __future__ import annotations

import hmac
import random
import subprocess
from pathlib import Path

import pytest

from deploy_rpc.bundle import AGENT_SOURCES, ZIG_TARGETS
from deploy_rpc.compiled_once import zig
from deploy_rpc.host import machine_isa

PROGRAM = Path(__file__).with_name("hmac_program.c")
BLOCK = 64


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hmac") / "hmac"
    sources = [str(PROGRAM), str(AGENT_SOURCES / "sha256.c")]
    target = ZIG_TARGETS[machine_isa()]
    zig(["-target", target, "-O1", "-fsanitize=undefined", f"-I{AGENT_SOURCES}", *sources,
         "-o", str(made)])  # fmt: skip
    return made


@pytest.mark.parametrize("key_size", [0, 16, BLOCK - 1, BLOCK, BLOCK + 1, 1023])
def test_codes_are_those_of_python_at_every_edge_of_a_block(program: Path, key_size: int) -> None:
    draw = random.Random(key_size)
    for size in (0, 1, 55, 56, 63, 64, 65, 119, 120, 1000):
        key, message = draw.randbytes(key_size), draw.randbytes(size)
        words = [str(program), str(key_size), str(size)]
        done = subprocess.run(words, input=key + message, capture_output=True, check=True)
        assert done.stdout.decode() == hmac.digest(key, message, "sha256").hex()
