"""evaluate.py: the same accuracy from PyTorch, ONNX Runtime and a module, or a reason why not."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from compile.source import random_network
from model.cli import run_command
from model.evaluate import main
from model.zoo import create_model
from tests.packages import HOST, make_library

MODEL = "shufflenet-0.25x-g3"
PICTURES = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of two seeds, pictures with labels, and a library of the first for this machine."""
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "data" / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    with (folder / "data" / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "label"])
        for index in range(PICTURES):
            blocks = random.integers(0, 256, (4, 5, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
            Image.fromarray(blocks).save(folder / "data" / "images" / f"{index}.png")
            table.writerow([f"{index}.png", index])
    for seed in (0, 1):
        torch.save(create_model(MODEL, seed=seed).state_dict(), folder / f"seed{seed}.pt")
    make_library(random_network(MODEL, input_size=(32, 32)), HOST, folder)  # weights of seed 0
    return folder


def evaluated(folder: Path, capfd: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """Exit status and all output of evaluate.py on the pictures."""
    capfd.readouterr()
    status = 0
    given = ["--data", folder / "data", *words]
    try:
        run_command(lambda: main([str(word) for word in given]))
    except SystemExit as end:
        status = end.code
    return status, "".join(capfd.readouterr())


def test_pytorch_has_no_reference_but_itself(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    words = ["--weights", folder / "seed0.pt", "--input-size", 32, "--json", report]
    status, out = evaluated(folder, capfd, *words)
    assert status == 0
    assert f"pytorch: accuracy on {PICTURES} pictures" in out
    written = json.loads(report.read_text())
    assert (written["model"], written["engine"], written["agreement"]) == (MODEL, "pytorch", None)
    assert [row["true_class"] for row in written["predictions"]] == list(range(PICTURES))
    assert list(tmp_path.iterdir()) == [report]


def test_onnx_runtime_agrees(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["--weights", folder / "seed0.pt", "--input-size", 32, "--engine", "onnxruntime"]
    status, out = evaluated(folder, capfd, *words)
    assert status == 0
    assert f"the same class on {PICTURES} of {PICTURES} pictures" in out


def test_a_module_agrees_with_its_weights_and_not_with_others(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["--module", folder / f"{MODEL}.host.so", "--board", "local"]
    status, out = evaluated(folder, capfd, "--weights", folder / "seed0.pt", *words)
    assert status == 0
    assert f"same order on {PICTURES};" in out
    status, out = evaluated(folder, capfd, "--weights", folder / "seed1.pt", *words)
    assert status == 1
    assert "disagreements" in out


def test_an_onnx_file_is_evaluated_and_the_reference_of_a_module(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    module, path = create_model(MODEL), folder / "net.onnx"
    torch.onnx.export(module, (torch.zeros(1, 3, 32, 32),), path, dynamo=False)
    status, out = evaluated(folder, capfd, "--onnx", path)
    assert status == 0
    assert f"onnxruntime: accuracy on {PICTURES} pictures" in out
    words = ["--onnx", path, "--module", folder / f"{MODEL}.host.so"]  # of the same weights
    status, out = evaluated(folder, capfd, *words)
    assert status == 0
    assert f"against ONNX Runtime: the same class on {PICTURES} of {PICTURES}" in out
    status, out = evaluated(folder, capfd, *words, "--engine", "pytorch")
    assert status == 2
    assert "do not apply to --onnx" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--engine", "module"], "--engine module and --module go together"),
        (["--board", "local"], "--board applies to --module only"),
        (["--data", "nowhere"], "expected a folder, found nothing at nowhere"),
        (["--json", "no/such/folder/r.json"], "there is no folder no/such/folder"),
        (["--model", "resnet"], "unknown model 'resnet'"),
    ],
)
def test_wrong_usage_exits_with_2(
    words: list[str], message: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    status, out = evaluated(folder, capfd, "--weights", folder / "seed0.pt", *words)
    assert status == 2
    assert message in out


def test_weights_of_another_network_are_refused(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["--weights", folder / "seed0.pt", "--model", "alexnet"]
    status, out = evaluated(folder, capfd, *words)
    assert status == 1
    assert f"holds {MODEL}, expected alexnet" in out


def test_the_program_prints_its_help() -> None:
    program = Path(__file__).parent.parent / "model" / "evaluate.py"
    done = subprocess.run(
        [sys.executable, str(program), "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "--module" in done.stdout
