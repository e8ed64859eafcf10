"""run.py: pictures in, classes out, on this machine and on an emulated board."""

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
from deploy_rpc.cycles import CycleReport, HotBlock
from deploy_rpc.emulator import missing_emulation_tools
from deploy_rpc.run import _print_cycles, main
from model.cli import run_command
from model.zoo import create_model
from tests.needs import needs_modelled_board, needs_qemu
from tests.packages import BOARD, HOST, System, make_library

MODEL = "shufflenet-0.25x-g3"
PICTURES = 6
CLASSES = 1000
N1_HALF = System("neoverse-n1", "gnu", BOARD.zig_target, dtype="float16")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, weights of two seeds, class names, and libraries for this machine and for ARM."""
    folder = tmp_path_factory.mktemp("run")
    random = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for index in range(PICTURES):
        blocks = random.integers(0, 256, (4, 5, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
        Image.fromarray(blocks).save(folder / "pictures" / f"{index}.png")
    for seed in (0, 1):
        torch.save(create_model(MODEL, seed=seed).state_dict(), folder / f"seed{seed}.pt")
    (folder / "names.txt").write_text("".join(f"thing [/{index}]\n" for index in range(CLASSES)))
    network = random_network(MODEL, input_size=(32, 32))  # with the weights of seed 0
    make_library(network, HOST, folder)
    if not missing_emulation_tools():
        make_library(network, BOARD, folder)
        make_library(network, N1_HALF, folder)
    return folder


@pytest.fixture
def library(folder: Path) -> Path:
    return folder / f"{MODEL}.host.so"


def _run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of run.py."""
    capsys.readouterr()
    status = 0
    try:
        run_command(lambda: main([str(word) for word in words]))
    except SystemExit as end:
        status = end.code
    return status, *capsys.readouterr()


def test_one_picture_gives_a_table_of_five_named_classes(
    folder: Path, library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = folder / "pictures" / "0.png"
    status, out, _ = _run(capsys, library, "--image", picture, "--labels", folder / "names.txt")
    assert status == 0
    assert out.count("thing [/") == 5
    assert str(picture) in out.replace("\n", "")


def test_the_hottest_instructions_are_told_with_their_operands_and_doubts_of_the_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    block = HotBlock(0, 7, 21.0, ("ldr q0, [x0, #16]", "b.ne #-4"))
    doubts = ("8 stores of 128 bits cost 8.0 cycles there, 4 as published",)
    report = CycleReport("cortex-a72", "cortex-a72", 21.0, 14, 7, 0, 1, 1, 1.0, (block,), doubts)
    _print_cycles(report)
    out = capsys.readouterr().out
    assert "ldr q0, [x0, #16]" in out
    assert "a doubt of LLVM's model of cortex-a72: 8 stores of 128 bits cost 8.0" in out


def test_a_folder_gives_a_line_for_each_picture_and_agrees_with_pytorch(
    folder: Path, library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = _run(
        capsys, library, "--image", folder / "pictures", "--reference", folder / "seed0.pt",
        "--json", tmp_path / "run.json",
    )  # fmt: skip
    assert status == 0
    assert f"equals PyTorch's on {PICTURES} of {PICTURES} pictures" in out
    report = json.loads((tmp_path / "run.json").read_text())
    assert [Path(row["image"]).name for row in report["predictions"]] == [
        f"{index}.png" for index in range(PICTURES)
    ]
    for row in report["predictions"]:
        assert len(row["classes"]) == 5
        assert row["probabilities"] == sorted(row["probabilities"], reverse=True)
    assert report["agreement"]["max_abs_error"] < 1e-4


def test_other_weights_disagree_and_exit_with_1(
    folder: Path, library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = _run(
        capsys, library, "--image", folder / "pictures", "--reference", folder / "seed1.pt"
    )
    assert status == 1
    assert "PyTorch says" in out


def test_accuracy_counts_the_pictures_whose_class_is_known(
    folder: Path, library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [library, "--image", folder / "pictures", "--json", tmp_path / "run.json"]
    _run(capsys, *words)
    rows = json.loads((tmp_path / "run.json").read_text())["predictions"]
    with (tmp_path / "truth.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "label", "name"])
        table.writerow(["0.png", rows[0]["classes"][0], "right"])
        table.writerow(["1.png", rows[1]["classes"][4], "fifth"])
        table.writerow(["2.png", (set(range(9)) - set(rows[2]["classes"])).pop(), "wrong"])
        table.writerow(["elsewhere.png", 0, "not asked for"])
    status, out, _ = _run(capsys, *words, "--truth", tmp_path / "truth.csv")
    assert status == 0
    assert "accuracy on 3 pictures: top-1 33.3%, top-5 66.7%" in out


def test_repeat_prints_a_measured_median(
    folder: Path, library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = folder / "pictures" / "0.png"
    status, out, _ = _run(capsys, library, "--image", picture, "--repeat", 5)
    assert status == 0
    assert "measured on local: median" in out
    assert "of 5 runs" in out


@needs_qemu
def test_an_emulated_board_gives_pytorch_s_classes_and_refuses_to_time(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [folder / f"{MODEL}.arm_cpu.so", "--board", "emulated", "--image", folder / "pictures"]
    status, out, _ = _run(capsys, *words, "--reference", folder / "seed0.pt")
    assert status == 0
    assert f"equals PyTorch's on {PICTURES} of {PICTURES} pictures" in out
    status, out, err = _run(capsys, *words, "--repeat", 3)
    assert status == 1
    assert "--repeat: times on emulated:cortex-a72 would be the emulator's" in err


@needs_qemu
def test_an_emulated_board_has_the_core_that_the_library_is_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library, pictures = folder / f"{MODEL}.neoverse-n1-float16.so", folder / "pictures"
    report = folder / "n1.json"
    words = [library, "--board", "emulated", "--image", pictures, "--json", report]
    status, _, err = _run(capsys, *words)
    assert status == 0, err
    assert json.loads(report.read_text())["board"] == "emulated:neoverse-n1"


@needs_modelled_board
@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--board", "modelled"], "is for x86_64; only aarch64 is modelled"),
        (["--board", "emulated", "--repeat", "3"], "--repeat: times on emulated would be"),
    ],
)
def test_what_a_board_cannot_do_is_refused_before_pictures_are_read(
    words: list[str], fault: str, library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = _run(capsys, library, "--image", "no-such-picture", *words)
    assert status == 1
    assert fault in err


@pytest.mark.parametrize("content", [None, "{", "[]", '{"model": {}}'])
def test_a_library_without_a_readable_report_is_refused(
    content: str | None,
    folder: Path,
    library: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    alone = tmp_path / "alone.so"
    alone.write_bytes(library.read_bytes())
    if content is not None:
        alone.with_suffix(".json").write_text(content)
    status, _, err = _run(capsys, alone, "--image", folder / "pictures")
    assert status == 1
    assert str(alone.with_suffix(".json")) in err


def test_a_picture_that_cannot_be_read_is_named_and_no_report_is_written(
    folder: Path, library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes((folder / "pictures" / "0.png").read_bytes()[:60])
    report = tmp_path / "run.json"
    status, _, err = _run(capsys, library, "--image", folder / "pictures", broken, "--json", report)
    assert status == 1
    assert str(broken) in err
    assert not report.exists()


@pytest.mark.parametrize("where", ["nowhere.png", "."])
def test_a_missing_picture_and_a_folder_without_any_are_refused(
    where: str, library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = _run(capsys, library, "--image", tmp_path / where)
    assert status == 1
    assert str(tmp_path / where) in err


def test_too_few_class_names_are_refused(
    folder: Path, library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    status, _, err = _run(
        capsys, library, "--image", folder / "pictures", "--labels", tmp_path / "names.txt"
    )
    assert status == 1
    assert "2 lines, the network 1000 classes" in err


@pytest.mark.parametrize(
    "words",
    [
        ["--board", "nonsense"],
        ["--repeat", "0"],
        ["--timeout", "-1"],
        ["--labels", "none.txt"],
        ["--json", "no/such/folder/r.json"],
    ],
)
def test_wrong_usage_exits_with_2(
    words: list[str], folder: Path, library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = _run(capsys, library, "--image", folder / "pictures", *words)
    assert status == 2
    assert words[0] in err


def test_the_program_prints_its_help() -> None:
    program = Path(__file__).parent.parent / "deploy_rpc" / "run.py"
    done = subprocess.run(
        [sys.executable, str(program), "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "--reference" in done.stdout
