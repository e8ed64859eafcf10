"""Builds beside each other, and beside a tuner: one whole result, never a mix."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import torch

from bench.provenance import REPOSITORY
from compile.build import main
from compile.tuning.log import TuningLog
from tests.programs import run_main
from tests.small_networks import ShuffledBlock
from tests.tuning_records import record

ENDINGS = (".so", ".h", ".json")
LIMIT_S = 280
QUICK = ("--target", "host", "--level", "fused")
WRITER = """
import sys, time
from pathlib import Path
from compile.tuning.log import TuningLog
from tests.tuning_records import record
log, number = TuningLog(Path(sys.argv[1])), 0
while True:
    number += 1
    log.append([record(1, 1000.0 + number)])
    time.sleep(0.02)
"""


def exported(folder: Path, seed: int) -> Path:
    """An ONNX file of the same name each time, with weights of its own."""
    folder.mkdir()
    torch.manual_seed(seed)
    picture = (torch.zeros(1, 3, 33, 33),)
    torch.onnx.export(ShuffledBlock().eval(), picture, folder / "net.onnx", dynamo=False)
    return folder / "net.onnx"


def test_of_two_processes_that_build_into_one_folder_one_leaves_all_its_files(
    tmp_path: Path,
) -> None:
    alone = {}
    for name, seed in (("first", 1), ("second", 2)):
        words = ("--onnx", exported(tmp_path / name, seed), "--out", tmp_path / name / "out")
        assert run_main(main, *QUICK, *words).returncode == 0
        alone[name] = {
            ending: (tmp_path / name / "out" / f"net.host{ending}").read_bytes()
            for ending in (".so", ".h")
        }
    out = tmp_path / "out"
    program = [sys.executable, str(REPOSITORY / "compile/build.py"), *QUICK, "--out", str(out)]
    builds = [
        subprocess.Popen(
            [*program, "--onnx", str(tmp_path / name / "net.onnx")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in alone
    ]
    for build in builds:
        _, said = build.communicate(timeout=LIMIT_S)
        assert build.returncode == 0, said
    assert {file.name for file in out.iterdir()} == {f"net.host{ending}" for ending in ENDINGS}
    report = json.loads((out / "net.host.json").read_text())
    (name,) = (
        name
        for name in alone
        if digest((tmp_path / name / "net.onnx").read_bytes()) in json.dumps(report["model"])
    )
    assert (out / "net.host.so").read_bytes() == alone[name][".so"]
    assert (out / "net.host.h").read_bytes() == alone[name][".h"]
    assert report["library_sha256"] == digest(alone[name][".so"])


def test_a_build_while_a_tuner_writes_reads_whole_records_and_says_which(tmp_path: Path) -> None:
    log = TuningLog(tmp_path / "logs" / "cortex-a72" / "net.jsonl")
    log.append([record(0)])
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(log.path)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    try:
        while len(log.read().records) < 2:
            assert writer.poll() is None
            time.sleep(0.1)
        before = log.path.stat().st_size
        words = ("--onnx", exported(tmp_path / "net", 1), "--tuning-logs", tmp_path / "logs")
        words += ("--target", "arm_cpu", "--level", "tuned", "--out", tmp_path / "out")
        done = run_main(main, *words)
        after = log.path.stat().st_size
    finally:
        writer.kill()
        writer.wait()
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "net.arm_cpu.json").read_text())
    as_read = report["tuning_logs"]["cortex-a72/net.jsonl"]
    beginnings = itertools.accumulate(log.path.read_bytes().splitlines(keepends=True))
    read = [len(beginning) for beginning in beginnings if digest(beginning) == as_read]
    assert len(read) == 1
    assert before <= read[0] < after


def digest(content: bytes) -> str:
    """Its SHA-256."""
    return hashlib.sha256(content).hexdigest()
