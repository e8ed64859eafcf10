"""`python compile/build.py`, as a user calls it: what it writes, and what it says of bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from compile.build import main, publish
from compile.build_options import parse_options, print_options
from deploy_rpc.elf import elf_machine
from model.feature_maps import STRIDES
from model.zoo import create_model
from tests.needs import needs_qemu
from tests.programs import run_main
from tests.small_networks import ShuffledBlock

ROOT = Path(__file__).resolve().parent.parent
SMALL = ("--model", "shufflenet-0.25x-g3", "--input-size", "64")


def build(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What build.py makes of `arguments`, in this process."""
    return run_main(main, *arguments, cwd=cwd, **environment)


def program(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own, as a user starts it."""
    command = [sys.executable, str(ROOT / "compile/build.py"), *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=280,
        check=False,
    )  # fmt: skip


def assert_refused(
    result: subprocess.CompletedProcess[str], exit_code: int, said: str, folder: Path
) -> None:
    assert result.returncode == exit_code, result.stdout + result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(folder.rglob("*.so"))
    assert not (folder / "build").exists()


def export_onnx(path: Path) -> None:
    """An ONNX file of a few layers, its batch open."""
    torch.onnx.export(
        ShuffledBlock().eval(), (torch.zeros(1, 3, 33, 33),), path, input_names=["x"],
        dynamic_axes={"x": {0: "n"}}, dynamo=False,
    )  # fmt: skip


def test_of_two_builds_into_one_folder_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, replace = ("net.json", "net.h", "net.so"), Path.replace
    pauses_s = {"first": (0.1, 0.1, 0.1), "second": (0.25, 0.0, 0.0)}  # first net.json, last net.so

    def slowly(file: Path, target: Path) -> Path:
        time.sleep(pauses_s[file.parent.name][names.index(file.name)])
        return replace(file, target)

    monkeypatch.setattr(Path, "replace", slowly)
    out, builds = tmp_path / "out", []
    out.mkdir()
    for build_name in pauses_s:
        staging = tmp_path / build_name
        staging.mkdir()
        for name in names:
            (staging / name).write_text(build_name)
        files = [staging / name for name in names]
        builds.append(threading.Thread(target=publish, args=(files, out)))
    for each in builds:
        each.start()
    for each in builds:
        each.join()
    assert len({(out / name).read_text() for name in names}) == 1


def test_what_an_earlier_build_had_beside_its_library_goes_with_it(tmp_path: Path) -> None:
    out, staging = tmp_path / "out", tmp_path / "staging"
    out.mkdir()
    staging.mkdir()
    for name in ("net.1.so", "net.1.h", "net.1.a", "net.1.json", "net.2.a", "net.1.txt"):
        (out / name).write_text("old")
    for name in ("net.1.json", "net.1.so"):
        (staging / name).write_text("new")
    publish([staging / "net.1.json", staging / "net.1.so"], out)
    assert {file.name: file.read_text() for file in out.iterdir()} == {
        "net.1.json": "new", "net.1.so": "new", "net.1.txt": "old", "net.2.a": "old",
    }  # fmt: skip


@pytest.fixture(scope="module")
def arm_build(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a build for arm_cpu without a board at hand, and what it printed."""
    folder = tmp_path_factory.mktemp("arm")
    result = build("--target", "arm_cpu", *SMALL, cwd=folder, PATH="")
    assert result.returncode == 0, result.stdout + result.stderr
    return folder, result.stdout


def test_the_library_is_for_aarch64_and_its_path_comes_last(arm_build: tuple[Path, str]) -> None:
    folder, output = arm_build
    path = output.splitlines()[-1]
    assert path == "build/shufflenet-0.25x-g3.arm_cpu.so"
    assert elf_machine(folder / path) == "aarch64"
    assert sorted(p.name for p in (folder / "build").iterdir()) == [
        "shufflenet-0.25x-g3.arm_cpu.h",
        "shufflenet-0.25x-g3.arm_cpu.json",
        "shufflenet-0.25x-g3.arm_cpu.so",
    ]


def test_without_a_board_the_output_says_where_it_was_verified(
    arm_build: tuple[Path, str],
) -> None:
    assert "no board: verifying the same lowered module built for this machine" in arm_build[1]
    assert "qemu-user" in arm_build[1]


def test_the_report_says_what_was_built_and_how_right_and_fast_it_is(
    arm_build: tuple[Path, str],
) -> None:
    folder, _ = arm_build
    report = json.loads((folder / "build/shufflenet-0.25x-g3.arm_cpu.json").read_text())
    assert report["model"]["input_shape"] == [1, 3, 64, 64]
    assert report["model"]["macs"] == sum(k["macs"] * k["calls"] for k in report["kernels"])
    assert report["target"]["core"] == "cortex-a72"
    assert (
        report["library_bytes"] == (folder / "build/shufflenet-0.25x-g3.arm_cpu.so").stat().st_size
    )
    assert [row["level"] for row in report["verification"]] == ["stock", "unfused", "fused"]
    assert all(row["relative_error"] < 1e-4 for row in report["verification"])
    for row in report["latencies"]:
        assert (row["kind"], row["unit"], len(row["samples"])) == ("measured", "ms", 9)
        assert "this machine" in row["where"]  # times of an x86 core are not passed off as ARM's


@needs_qemu
def test_the_emulated_board_verifies_every_output_of_the_library_itself(tmp_path: Path) -> None:
    result = build("--target", "arm_cpu", *SMALL, "--threads", 2, "--features", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads((tmp_path / "build/shufflenet-0.25x-g3-features.arm_cpu.json").read_text())
    names = [f"stride{stride}" for stride in STRIDES]
    assert [(row["name"], row["stride"]) for row in report["model"]["outputs"]] == list(
        zip(names, STRIDES, strict=True)
    )
    assert [(row["output"], row["where"]) for row in report["verification"][: len(names)]] == [
        (name, "board emulated:cortex-a72") for name in names
    ]
    assert not any("emulated" in row["where"] for row in report["latencies"])


@needs_qemu
def test_a_library_of_float16_answers_on_an_emulated_core_that_has_it(tmp_path: Path) -> None:
    result = build(
        "--target", "neoverse-n1", "--dtype", "float16", *SMALL, "--board", "emulated", cwd=tmp_path
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    stem = tmp_path / "build/shufflenet-0.25x-g3.neoverse-n1-float16"
    report = json.loads(Path(f"{stem}.json").read_text())
    assert report["dtype"] == "float16"
    assert {d for kernel in report["kernels"] for d in kernel["dtypes"]} == {"float16", "float32"}
    first = report["verification"][0]
    assert first["where"] == "board emulated:neoverse-n1"
    assert 1e-6 < first["relative_error"] < first["tolerance"]
    assert report["weights_bytes"] < 0.55 * 4 * report["model"]["parameters"]
    assert "float32" in Path(f"{stem}.h").read_text()


def test_a_library_of_int8_is_calibrated_on_pictures_and_verified_to_the_bit(
    tmp_path: Path,
) -> None:
    for index, colour in enumerate(("red", "olive", "navy", "white")):
        folder = tmp_path / "pictures" / str(index % 2)
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (80, 72), colour).save(folder / f"{colour}.png")
    result = build(
        "--target", "host", "--dtype", "int8", "--calibration", "pictures", *SMALL, "--static",
        "--sensitivity", cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    stem = tmp_path / "build/shufflenet-0.25x-g3.host-int8"
    report = json.loads(Path(f"{stem}.json").read_text())
    assert report["model"]["calibrated_on"] == "4 of 4 pictures of pictures"
    assert len(report["model"]["calibration_sha256"]) == 64
    (row,) = report["verification"]
    assert (row["reference"], row["max_abs_error"], row["tolerance"]) == ("exact integers", 0, 0)
    assert ", int8 inside, " in Path(f"{stem}.h").read_text()
    assert [each["name"] for each in report["sensitivity"]["layers"]][::52] == ["stem1", "dense1"]
    assert "error of the logits to be expected in int8: 0." in result.stdout
    assert Path(f"{stem}.a").stat().st_size < 4 * report["model"]["parameters"]


def test_an_onnx_file_builds_and_the_lowest_level_alone(tmp_path: Path) -> None:
    export_onnx(tmp_path / "net.onnx")
    words = ("--onnx", "net.onnx", "--level", "stock", "--json", "r.json")
    result = build("--target", "host", *words, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1] == "build/net.host.so"
    checks_of_tvm = b".strides on argument #"
    assert checks_of_tvm in (tmp_path / "build/net.host.so").read_bytes()
    report = json.loads((tmp_path / "r.json").read_text())
    assert [row["level"] for row in report["latencies"]] == ["stock"]
    assert report["verification"][-1]["where"] == "board local"
    (note,) = report["model"]["notes"]
    assert note == "the batch of the input 'x' is open in the file: fixed to 1"
    assert f"note: {note}" in result.stdout.splitlines()


def test_the_program_ends_with_its_exit_code(tmp_path: Path) -> None:
    assert_refused(program("--target", "cortex-x99", cwd=tmp_path), 2, "unknown target", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--target"),
        (("--target", "cortex-x99"), "unknown target"),
        (("--target", "host", "--model", "resnet-50"), "unknown model"),
        (("--target", "host", "--model", "shufflenet-0.5x-g2"), "cannot be built"),
        (("--target", "host", "--board", "moon"), "moon"),
        (("--target", "host", "--board", "rpc://nowhere"), "rpc://"),
        (("--target", "host", "--input-size", "0x224"), "32 to 4096"),
        (("--target", "host", "--input-size", "224x"), "HxW"),
        (("--target", "host", "--threads", "0"), "at least 1"),
        (("--target", "host", "--level", "magic"), "invalid choice"),
        (("--target", "host", "--weights", "missing.pth"), "missing.pth"),
        (("--target", "host", "--onnx", "."), "a folder"),
        (("--target", "host", "--json", "no/such/folder/r.json"), "no folder no/such/folder"),
        (("--target", "host", "--onnx", __file__, "--features"), "has its maps as outputs"),
        (("--target", "rpi4", "--dtype", "float16"), "cortex-a72 has no float16 arithmetic"),
        (("--target", "rpi5", "--dtype", "float16", "--level", "stock"), "float32 pipeline"),
        (("--target", "host", "--dtype", "int8", "--level", "unfused"), "unfused has no int8"),
        (("--target", "host", "--calibration", "."), "--calibration is for --dtype int8"),
        (("--target", "host", "--tuning-logs", "."), "--level tuned takes"),
        (("--target", "host", "--model", "alexnet", "--convention", "paper"), "shuffles no"),
        (("--target", "arm_cpu", "--board", "modelled", "--level", "stock"), "prices plain C"),
        (("--target", "arm_cpu", "--abi", "musl", "--board", "emulated"), "of glibc, not musl"),
        (("--target", "host", "--keep-float", "stem1"), "--keep-float are for --dtype int8"),
        (("--target", "host", "--dtype", "int8", "--keep-float", "auto"), "expected auto:ERROR"),
    ],
)
def test_wrong_usage_exits_2_and_writes_nothing(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert_refused(build(*arguments, cwd=tmp_path), 2, said, tmp_path)


def test_a_truncated_checkpoint_fails(tmp_path: Path) -> None:
    whole = tmp_path / "whole.pth"
    torch.save(create_model("shufflenet-0.25x-g3").state_dict(), whole)
    cut = tmp_path / "cut.pth"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    result = build("--target", "host", "--weights", "cut.pth", cwd=tmp_path)
    assert_refused(result, 1, "cut.pth", tmp_path)


def test_a_checkpoint_of_another_network_fails(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(3, 4).state_dict(), tmp_path / "other.pth")
    result = build("--target", "host", "--weights", "other.pth", cwd=tmp_path)
    assert_refused(result, 1, "no network known here", tmp_path)


class Malicious:
    """Unpickling this would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


def test_code_in_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"state_dict": Malicious(tmp_path / "was-run")}, tmp_path / "evil.pth")
    result = build("--target", "host", "--weights", "evil.pth", cwd=tmp_path)
    assert_refused(result, 1, "was refused", tmp_path)
    assert not (tmp_path / "was-run").exists()


def test_an_onnx_file_cut_in_half_fails(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    export_onnx(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    result = build("--target", "host", "--onnx", "net.onnx", cwd=tmp_path)
    assert_refused(result, 1, "no complete ONNX model", tmp_path)


def test_an_output_folder_that_cannot_be_written_to_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = build("--target", "host", *SMALL, "--out", "file/below", cwd=tmp_path)
    assert_refused(result, 1, "cannot write to the folder", tmp_path)


def test_a_missing_cross_linker_fails_and_names_it(tmp_path: Path) -> None:
    result = build("--target", "arm_cpu", *SMALL, "--linker", "gnu", cwd=tmp_path, PATH="")
    assert_refused(result, 1, "gcc-aarch64-linux-gnu", tmp_path)


def test_a_board_that_does_not_answer_fails_and_leaves_no_library(tmp_path: Path) -> None:
    result = build("--target", "host", *SMALL, "--board", "rpc://127.0.0.1:9", cwd=tmp_path)
    assert_refused(result, 1, "127.0.0.1:9", tmp_path)
    assert "import ..." not in result.stdout  # before any work


def test_int8_that_nothing_here_runs_is_said_not_to_be_verified(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    print_options(parse_options(["--target", "rpi5", "--dtype", "int8"]))
    output = capsys.readouterr().out
    assert "no board: int8 for another kind of core does not run here" in output
    assert "verifying" not in output


@pytest.mark.parametrize(
    ("target", "board", "said"),
    [
        ("arm_cpu", "local", "but target arm_cpu is aarch64"),
        ("rpi2", "emulated", "emulated is aarch64, but target rpi2 is arm"),
    ],
)
def test_the_wrong_kind_of_board_for_the_target_is_said(
    target: str, board: str, said: str, tmp_path: Path
) -> None:
    result = build("--target", target, *SMALL, "--board", board, cwd=tmp_path)
    assert_refused(result, 1, said, tmp_path)
    assert "import ..." not in result.stdout  # before any work
