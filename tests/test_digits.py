"""The digits: a fixed split, and a trained network that is as right compiled as in PyTorch."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest
from safetensors import safe_open

from compile.build import main as build
from deploy_rpc.emulator import missing_emulation_tools
from model.checkpoints import load_checkpoint
from model.digits import pictures
from model.digits.pictures import DigitsError, digits_folder
from model.evaluate import main as evaluate
from model.training.options import parse_options

WEIGHTS = Path(pictures.__file__).parent / "shufflenet-0.25x-g3.safetensors"
HELD_OUT = 359


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return digits_folder(tmp_path_factory.mktemp("cache"))


def test_every_fifth_picture_is_held_out_and_stays_so(folder: Path) -> None:
    names = {
        split: sorted(path.stem for path in (folder / split).rglob("*.png"))
        for split in ("train", "val")
    }
    assert len(names["train"]) == 1797 - HELD_OUT
    assert names["val"] == [f"{index:04d}" for index in range(4, 1797, 5)]
    assert sorted(path.name for path in (folder / "val").iterdir()) == list("0123456789")
    assert (folder / "val" / "4" / "0004.png").is_file()


def test_a_folder_that_is_there_is_left_alone(folder: Path) -> None:
    before = folder.stat().st_mtime_ns
    assert digits_folder(folder.parent) == folder
    assert folder.stat().st_mtime_ns == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DigitsError, match=r"cannot write the digits to .*file.*XDG_CACHE_HOME"):
        digits_folder(tmp_path / "file")


def test_without_scikit_learn_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DigitsError, match=r"shufflenet-compiled\[train\]"):
        digits_folder(tmp_path)


def test_the_network_in_the_box_is_small_and_says_how_it_was_made() -> None:
    assert WEIGHTS.stat().st_size <= 1 << 20
    loaded = load_checkpoint(WEIGHTS, expected="shufflenet-0.25x-g3")
    assert (loaded.classes, loaded.input_size, loaded.convention) == (10, (32, 32), "paper")
    with safe_open(WEIGHTS, "pt") as file:
        made = json.loads(file.metadata()["training"])
    python, program, *words = shlex.split(made["command"])
    assert (python, program) == ("python", "model/train.py")
    options = parse_options(words)
    assert (options.epochs, options.lr) == (made["settings"]["epochs"], made["settings"]["lr"])
    assert made["accuracy"]["pictures"] == HELD_OUT


def report_of(tmp_path: Path, *words: object) -> dict[str, object]:
    """Of evaluate.py on the held-out digits with the network in the box and a module of it."""
    path = tmp_path / "report.json"
    given = ["--weights", WEIGHTS, "--data", "digits", "--json", path, *words]
    with pytest.raises(SystemExit) as end:
        evaluate([str(word) for word in given])
    assert end.value.code == 0
    return json.loads(path.read_text())


@pytest.mark.parametrize(
    ("target", "board"),
    [
        ("host", "local"),
        pytest.param(
            "arm_cpu",
            "emulated",
            marks=pytest.mark.skipif(
                bool(missing_emulation_tools()),
                reason="; ".join(missing_emulation_tools()) or "all there",
            ),
        ),
    ],
)
def test_a_library_is_as_right_as_pytorch_on_every_held_out_digit(
    target: str, board: str, tmp_path: Path
) -> None:
    words = ["--target", target, "--board", board, "--weights", WEIGHTS, "--out", tmp_path]
    build([str(word) for word in words])
    module = tmp_path / f"shufflenet-0.25x-g3.{target}.so"
    report = report_of(tmp_path, "--module", module, "--board", board)
    assert report["data"] == "digits"
    assert report["accuracy"]["pictures"] == HELD_OUT
    assert report["accuracy"]["top1"] >= 0.97
    assert report["agreement"]["agree"] == HELD_OUT
    assert report["agreement"]["max_relative_error"] < 1e-4
