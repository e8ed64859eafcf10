"""From the official checkpoint to classes: the library agrees with PyTorch on every picture."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy_rpc.emulator import missing_emulation_tools
from tests.test_build_cli import ROOT, build

PICTURES_UNDER_EMULATION = 40  # about 0.4 s each


@pytest.fixture(scope="module", params=["host", "arm_cpu"])
def library(
    request: pytest.FixtureRequest, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The official ShuffleNet 0.5x g3, for this machine and for the emulated board."""
    if request.param == "arm_cpu" and missing_emulation_tools():
        pytest.skip("; ".join(missing_emulation_tools()))
    folder = tmp_path_factory.mktemp("trained")
    result = build("--target", request.param, "--weights", checkpoint, cwd=folder)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / f"build/shufflenet-0.5x-g3.{request.param}.so"


def test_every_top_class_equals_pytorchs(
    library: Path, checkpoint: Path, test_data: Path, tmp_path: Path
) -> None:
    on_arm = "arm_cpu" in library.name
    pictures = sorted((test_data / "imagenet_sample/images").iterdir())
    pictures = pictures[:PICTURES_UNDER_EMULATION] if on_arm else pictures
    arguments = [
        library, "--board", "emulated" if on_arm else "local", "--image", *pictures,
        "--labels", test_data / "imagenet_classes.txt", "--reference", checkpoint,
        "--truth", test_data / "imagenet_sample/labels.csv", "--json", tmp_path / "run.json",
    ]  # fmt: skip
    command = [sys.executable, ROOT / "deploy_rpc/run.py", *arguments]
    result = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=280, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads((tmp_path / "run.json").read_text())
    assert report["agreement"]["agree"] == report["agreement"]["pictures"] == len(pictures)
    if not on_arm:
        assert "accuracy on 200 pictures: top-1 68.0%, top-5 89.0%" in result.stdout
