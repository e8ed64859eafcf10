"""Every command of bench/IMAGENET.md is one that the programs take; none overwrites another's."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from torch.distributed.run import get_args_parser

from compile.build_options import parse_options as parse_build
from model.evaluate import parse_options as parse_evaluate
from model.training.options import parse_options as parse_train

PAGE = (Path(__file__).resolve().parent.parent / "bench" / "IMAGENET.md").read_text()
OTHERS = {"model/evaluate.py": parse_evaluate, "compile/build.py": parse_build}
PRINTED = "torchrun() { printf '%q ' \"$@\"; echo; }\n"  # instead of being run
TRAININGS = 24  # rows of Table 2 that can be made, of 3 without the shuffle, of 5 not yet there


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, where $IMAGENET and trained weights are what they are called."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGENET", "imagenet")
    for path in ("imagenet/val", "runs/NAME"):
        Path(path).mkdir(parents=True)
    Path("runs/NAME/NAME.safetensors").touch()
    return tmp_path


def test_what_it_trains_is_taken_by_torchrun_and_train(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = []
    for words in _trainings():
        run = get_args_parser().parse_args(words)
        assert run.training_script == "model/train.py"
        monkeypatch.setenv("WORLD_SIZE", run.nproc_per_node)
        trained.append(parse_train(run.training_script_args))
        assert parse_train([*run.training_script_args, "--resume"]).resume
    assert len(trained) == TRAININGS
    assert len({options.out for options in trained}) == TRAININGS
    assert len({options.json for options in trained}) == TRAININGS
    assert len({(options.model, options.shuffle) for options in trained}) == TRAININGS
    assert sum(not options.shuffle for options in trained) == 6


def test_what_it_does_with_the_weights_is_taken_by_its_programs() -> None:
    commands = re.findall(r"`(python [^`]+)`", PAGE)
    programs = []
    for command in commands:
        _, program, *words = shlex.split(command.replace("$IMAGENET", "imagenet"))
        OTHERS[program](words)
        programs.append(program)
    assert sorted(programs) == sorted(OTHERS)


def test_options_that_its_text_names_are_train_s(capsys: pytest.CaptureFixture[str]) -> None:
    named = re.findall(r"`(--[\w-]+)", PAGE)
    with pytest.raises(SystemExit):
        parse_train(["--help"])
    assert set(named) <= set(re.findall(r"--[\w-]+", capsys.readouterr().out))
    assert {"--resume", "--least-crop"} <= set(named)


def _trainings() -> list[list[str]]:
    """The words behind `torchrun` of each training, as a shell makes them of the page's blocks."""
    blocks = [line for line in PAGE.splitlines(keepends=True) if line.startswith("    ")]
    done = subprocess.run(
        ["bash", "-eu", "-c", PRINTED + "".join(blocks)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [shlex.split(line) for line in done.stdout.splitlines()]
