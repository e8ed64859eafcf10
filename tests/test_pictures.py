"""From the official checkpoint to classes: the library agrees with PyTorch on every picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy_rpc.run import main
from tests.needs import needs_qemu
from tests.packages import BOARD, HOST, System, make_library
from tests.programs import run_main
from tests.trained import trained_network

EVERY_UNDER_EMULATION = 20  # pictures: one takes about 0.4 s


@pytest.mark.parametrize(
    "system",
    [pytest.param(HOST, id=HOST.target), pytest.param(BOARD, id=BOARD.target, marks=needs_qemu)],
)
def test_every_top_class_equals_pytorchs(
    system: System, checkpoint: Path, test_data: Path, tmp_path: Path
) -> None:
    on_arm = system is BOARD
    library = make_library(trained_network(checkpoint), system, tmp_path)
    pictures = sorted((test_data / "imagenet_sample/images").iterdir())
    pictures = pictures[::EVERY_UNDER_EMULATION] if on_arm else pictures
    result = run_main(
        main, library, "--board", "emulated" if on_arm else "local", "--image", *pictures,
        "--labels", test_data / "imagenet_classes.txt", "--reference", checkpoint,
        "--truth", test_data / "imagenet_sample/labels.csv", "--json", tmp_path / "run.json",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads((tmp_path / "run.json").read_text())
    assert report["agreement"]["agree"] == report["agreement"]["pictures"] == len(pictures)
    if not on_arm:
        assert "accuracy on 200 pictures: top-1 68.0%, top-5 89.0%" in result.stdout
