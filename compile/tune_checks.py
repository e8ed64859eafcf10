"""Which options of tune.py go together, and what those not given are."""

from __future__ import annotations

import argparse
import os
from typing import Any

from compile.targets import CompileTarget, TargetError, parse_target, runs_here, with_dtype
from compile.tuning.clock import MOST_DRIFT
from compile.tuning.decisions import TUNING_LOGS
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.cores import find_core
from deploy_rpc.emulated_board import board_for
from deploy_rpc.x86_cores import AVX2_LEVEL
from model.zoo import DEFAULT_MODEL

AUTO = "auto"  # the space, and the folder of its records beside those of templates
DEFAULTS: dict[str, Any] = {
    "boards": 1,
    "timeout": 60,
    "judge": 3,
    "cooldown": 0.0,
    "drift": 100 * MOST_DRIFT,
    "dtype": "float32",
    "space": "template",
    "trials": 1000,
    "workers": len(os.sched_getaffinity(0)),
    "tuning_logs": TUNING_LOGS,
}
LEVEL_TARGET = f'{{"kind": "llvm", "mcpu": "{AVX2_LEVEL}"}}'
UPKEEP = ("merge", "prune", "verify")
OF_BOARDS = ("boards", "timeout", "judge", "cooldown", "drift")


class OptionsError(ValueError):
    """Options that make no sense together; the text is for argparse."""


def check_options(options: argparse.Namespace) -> None:
    """Resolves `options`, of which those not given are None; raises `OptionsError`.

    `tunes` is False where a log is kept up. For tuning, `target` is resolved, and `board` is its
    modelled core where none was named.
    """
    given = [name for name, value in vars(options).items() if value not in (None, False)]
    given += [name for name in OF_BOARDS if vars(options)[name] == 0]  # which equals False
    upkeep = next((name for name in UPKEEP if vars(options)[name] is not None), None)
    options.tunes = upkeep is None
    if (upkeep == "merge") != (options.into is not None):
        raise OptionsError("--merge A B ... needs --into FILE, and --into needs --merge")
    if upkeep:
        _check_upkeep(options, upkeep, given)
    elif not options.target_text:
        raise OptionsError("--target is required for tuning")
    for name, value in DEFAULTS.items():
        if vars(options)[name] is None:
            setattr(options, name, value)
    if options.tunes:
        _check_search(options, given)


def _check_upkeep(options: argparse.Namespace, upkeep: str, given: list[str]) -> None:
    taken = {upkeep, "into"} | ({"workers"} if upkeep == "verify" else set())
    for name in (each for each in given if each not in taken):
        raise OptionsError(f"{_flag(name)} is not for --{upkeep}; leave it away")
    if upkeep == "verify" and options.verify == []:
        options.verify = [TUNING_LOGS]


def _check_search(options: argparse.Namespace, given: list[str]) -> None:
    if options.onnx and options.model:
        raise OptionsError("--model does not apply to --onnx: the file says it all")
    if not options.onnx:
        options.model = options.model or DEFAULT_MODEL
    try:
        options.target = with_dtype(parse_target(options.target_text), options.dtype)
    except TargetError as error:
        raise OptionsError(f"--target: {error}") from error
    core = options.target.core.name
    options.board = board_for(options.board or BoardSpec("modelled"), core)
    _check_board(options.board, options.target)
    if options.board.kind != "modelled":
        _check_on_boards(options, given)
        return
    for name in (each for each in OF_BOARDS if each in given):
        raise OptionsError(
            f"{_flag(name)} is for boards, and {options.board} is none: leave it away, or name one "
            "with --board"
        )
    if options.space == AUTO and options.dtype != "float32":
        raise OptionsError(f"--space auto: expected --dtype float32, got {options.dtype}")


def _check_on_boards(options: argparse.Namespace, given: list[str]) -> None:
    expected = f"expected --board modelled[:CORE], got {options.board}"
    if options.dtype == "float16":
        raise OptionsError(f"--dtype float16 is tuned on modelled cores only; {expected}")
    if options.space == AUTO:
        raise OptionsError(f"--space auto: {expected}")
    if options.board.kind == "local" and "boards" in given:
        raise OptionsError(
            "--boards is for those of a tracker; --board local is this machine alone"
        )


def _check_board(board: BoardSpec, target: CompileTarget) -> None:
    """Raises `OptionsError` where what `board` tells says nothing of the target's core."""
    if board.kind == "emulated":
        raise OptionsError(
            f"--board {board} emulates: its times mean nothing; take modelled[:CORE]"
        )
    if board.kind == "local" and not runs_here(target):
        raise OptionsError(
            f"--target {target.name} is not this machine; expected --target host with --board "
            f"local, {LEVEL_TARGET} where this machine has AVX2, or a board of the target's kind"
        )
    if board.kind == "modelled" and board.core != target.core.name:
        named = find_core(board.core).name
        raise OptionsError(
            f"--target {target.name} is for {target.core.name}, and --board {board} prices "
            f"{named}: expected --board modelled:{target.core.name}, or --target {named}"
        )


def _flag(name: str) -> str:
    return {"target_text": "--target"}.get(name, "--" + name.replace("_", "-"))
