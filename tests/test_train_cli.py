"""train.py: what it writes, going on to the very same weights, and what it says of bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from model.checkpoints import load_checkpoint
from model.cli import run_command
from model.train import main
from model.training.logs import Logs
from tests.training_pictures import picture_tree

MODEL = "shufflenet-0.25x-g3"
SMALL = (
    "--model", MODEL, "--input-size", 32, "--batch-size", 4, "--epochs", 2, "--lr", 0.05,
    "--workers", 0, "--threads", 1, "--seed", 3,
)  # fmt: skip
UPDATES = 8
PROGRAM = Path(__file__).resolve().parent.parent / "model" / "train.py"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return picture_tree(tmp_path_factory.mktemp("tree"))


def trained(tree: Path, out: Path, *words: object) -> int:
    """Exit status of train.py on the tree."""
    given = ["--data", tree, "--out", out, *SMALL, *words]
    try:
        run_command(lambda: main([str(word) for word in given]))
    except SystemExit as end:
        return end.code
    return 0


@pytest.fixture(scope="module")
def whole(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run without interruption, with averaged weights and a report."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert trained(tree, out, "--ema", 0.5, "--json", out.parent / "report.json") == 0
    return out


def test_a_run_leaves_weights_that_say_what_they_are(whole: Path) -> None:
    loaded = load_checkpoint(whole / f"{MODEL}.safetensors")
    assert (loaded.name, loaded.classes, loaded.input_size) == (MODEL, 2, (32, 32))
    assert (loaded.convention, loaded.preprocessing) == ("paper", "imagenet")
    assert load_checkpoint(whole / "checkpoint.pth").input_size == (32, 32)
    assert any((whole / "logs").glob("events.out.tfevents.*"))


def test_the_report_tells_command_settings_and_every_epoch(whole: Path) -> None:
    report = json.loads((whole.parent / "report.json").read_text())
    assert report["command"].startswith("python model/train.py --data ")
    assert report["settings"]["lr"] == 0.05
    assert report["updates"] == UPDATES
    assert [row["epoch"] for row in report["history"]] == [1, 2]
    assert report["accuracy"]["pictures"] == report["history"][0]["pictures"] == 6


@pytest.mark.parametrize("stop", [3, 4], ids=["within an epoch", "between epochs"])
def test_going_on_gives_the_same_weights_to_the_last_bit(
    stop: int, whole: Path, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert trained(tree, out, "--ema", 0.5, "--stop-at", stop) == 0
    assert f"stopped at update {stop} of {UPDATES}" in capsys.readouterr().out
    assert not (out / f"{MODEL}.safetensors").exists()
    torch.manual_seed(99)  # whatever another process's generator holds
    report = tmp_path / "report.json"
    assert trained(tree, out, "--ema", 0.5, "--resume", "--json", report) == 0
    again, first = (load_file(folder / f"{MODEL}.safetensors") for folder in (out, whole))
    assert all(torch.equal(again[key], first[key]) for key in first)
    histories = [
        json.loads(path.read_text())["history"] for path in (report, whole.parent / "report.json")
    ]
    assert histories[0] == histories[1]


def test_another_seed_gives_other_weights(whole: Path, tree: Path, tmp_path: Path) -> None:
    assert trained(tree, tmp_path / "run", "--ema", 0.5, "--seed", 4) == 0
    other, first = (load_file(f / f"{MODEL}.safetensors") for f in (tmp_path / "run", whole))
    assert not torch.equal(other["first_conv.0.weight"], first["first_conv.0.weight"])


def test_a_comparator_and_mixed_precision_train_too(tree: Path, tmp_path: Path) -> None:
    words = ["--model", "mobilenet-0.25", "--precision", "bfloat16", "--epochs", 1]
    assert trained(tree, tmp_path, *words) == 0
    loaded = load_checkpoint(tmp_path / "mobilenet-0.25.safetensors")
    assert (loaded.name, loaded.classes) == ("mobilenet-0.25", 2)
    assert loaded.module.classifier.weight.dtype == torch.float32


def test_a_network_without_shuffle_stays_one(tree: Path, tmp_path: Path) -> None:
    assert trained(tree, tmp_path, "--no-shuffle", "--epochs", 1) == 0
    loaded = load_checkpoint(tmp_path / f"{MODEL}.safetensors")
    assert not loaded.module.config.shuffle


def test_two_processes_of_torchrun_train_one_network(tree: Path, tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    words = ["--data", tree, "--out", tmp_path, *SMALL, "--epochs", 1]
    command = [*torchrun, "--master-port", "0", "--standalone", PROGRAM, *words]
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch 1 of 1") == 1
    assert "2 process(es)" in done.stdout
    assert load_checkpoint(tmp_path / f"{MODEL}.safetensors").classes == 2


def test_without_tensorboard_there_are_no_curves_and_a_word_about_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    logs = Logs(tmp_path, 0)
    logs.write(1, loss=2.0)
    logs.close()
    assert "pip install 'shufflenet-compiled[train]'" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--lr", "0"], 2, "expected a number above 0"),
        (["--seed", str(1 << 64)], 2, "expected a number below 2^64"),
        (["--stop-at", "1", "--json", "r.json"], 2, "leave it away with --stop-at"),
        (["--ema", "1"], 2, "expected a number from 0 to below 1"),
        (["--least-crop", "1.5"], 2, "above 0, up to 1"),
        (["--data", "nowhere"], 2, "expected a folder, found nothing at nowhere"),
        (["--model", "mobilenet-0.25", "--no-shuffle"], 2, "mobilenet-0.25 shuffles no channels"),
        (["--batch-size", 17], 1, "a batch of 17 needs as many pictures, there are 16"),
        (["--resume"], 1, "nothing to go on from"),
        (["--lr", "1e30"], 1, "the learning rate is too high"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    words: list[object],
    status: int,
    message: str,
    tree: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert trained(tree, tmp_path, *words) == status
    assert message in capfd.readouterr().err
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_folder_without_train_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert trained(tmp_path, tmp_path / "run") == 1
    assert "train with a folder of pictures for each class" in capfd.readouterr().err


def test_a_batch_that_processes_do_not_divide_is_refused(
    tree: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert trained(tree, tmp_path) == 2
    assert "--batch-size 4 is not divided by the 3 processes" in capfd.readouterr().err


def test_another_run_is_neither_written_over_nor_gone_on_with(
    whole: Path, tree: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = (whole / "checkpoint.pth").read_bytes()
    assert trained(tree, whole, "--ema", 0.5) == 1
    assert "is of a run; go on with --resume, or name another --out" in capfd.readouterr().err
    assert trained(tree, whole, "--resume") == 1
    assert "of another run: ema is 0.5 there and 0.0 here" in capfd.readouterr().err
    assert (whole / "checkpoint.pth").read_bytes() == kept


@pytest.mark.parametrize("content", ["cut", "weights", "damaged"])
def test_a_file_that_no_run_can_go_on_from_is_refused(
    content: str, whole: Path, tree: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept, path = whole / "checkpoint.pth", tmp_path / "checkpoint.pth"
    state = torch.load(kept, weights_only=True)
    if content == "cut":
        path.write_bytes(kept.read_bytes()[:-99])
    else:
        torch.save(state["state_dict"] if content == "weights" else state | {"optimizer": 1}, path)
    assert trained(tree, tmp_path, "--ema", 0.5, "--resume") == 1
    message = {"cut": "is cut off", "weights": "holds weights, but no run", "damaged": "is damaged"}
    assert message[content] in capfd.readouterr().err
