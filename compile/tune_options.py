"""The command line of tune.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from compile.tune_checks import AUTO, DEFAULTS, OptionsError, check_options
from deploy_rpc.board_spec import parse_board
from deploy_rpc.cores import DTYPES
from model.cli import (
    argument,
    existing_file,
    input_size,
    new_file,
    not_negative,
    positive_int,
    whole_number,
)
from model.zoo import DEFAULT_MODEL, model_name

KEPT = 1  # best records of each kernel and core, beside the default tile's


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """The options as `check_options` resolves them; leaves with exit code 2 otherwise."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        check_options(options)
    except OptionsError as error:
        parser.error(str(error))
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tune.py",
        description="Searches each kernel's decisions on a modelled core or on boards; "
        "build.py --level tuned takes what was found. Kernels are tuned on one thread; what one "
        "decides holds for any number, so that a network answers alike on all of them.",
    )
    parser.set_defaults(weights=None, convention=None, preprocessing=None, features=False)
    _add_source(parser)
    _add_search(parser)
    _add_boards(parser)
    _add_upkeep(parser)
    return parser


def _add_source(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--target", dest="target_text", metavar="T", help="as for build.py; required for tuning")
    add(
        "--model",
        type=argument(model_name),
        metavar="NAME",
        help=f"whose kernels are tuned (default: {DEFAULT_MODEL})",
    )
    add("--onnx", type=existing_file, metavar="FILE", help="those of an ONNX file instead")
    add(
        "--input-size",
        type=input_size,
        metavar="N|HxW",
        help="rows and columns of the input (default: as published, or as the file says)",
    )
    add(
        "--dtype",
        choices=DTYPES,
        help=f"of weights and activations, as for build.py (default: {DEFAULTS['dtype']})",
    )


def _add_search(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--space",
        choices=("template", AUTO),
        help="template: the decisions of our templates, which builds take (default); auto: "
        "MetaSchedule's own space, of the kernels that no template covers and, for comparison, of "
        "the convolutions that templates do, on modelled cores; its records are kept apart, in "
        "DIR/CORE/auto, and no build takes them",
    )
    add(
        "--trials",
        type=positive_int,
        metavar="N",
        help="at most, but the default tile of each kernel is tried in any case (default: "
        f"{DEFAULTS['trials']})",
    )
    add("--resume", action="store_true", help="go on from what the log holds")
    add(
        "--workers",
        type=positive_int,
        metavar="N",
        help="candidates at once (default: the cores of this machine)",
    )
    add(
        "--tuning-logs",
        type=Path,
        metavar="DIR",
        help="DIR/CORE/NAME.jsonl is written (default: those of the project)",
    )
    add(
        "--json",
        type=new_file,
        metavar="FILE",
        help="write the result and the tuning curve here, and the curve as a PNG beside it",
    )


def _add_boards(parser: argparse.ArgumentParser) -> None:
    boards = parser.add_argument_group("where candidates are priced")
    boards.add_argument(
        "--board",
        type=argument(parse_board),
        metavar="BOARD",
        help="modelled[:CORE] (default, of the target's core), local, rpc://HOST:PORT or "
        "tracker://HOST:PORT/KEY; the following are for boards only",
    )
    boards.add_argument(
        "--boards",
        type=positive_int,
        metavar="N",
        help="sessions at once: how many boards of a tracker to use (default: "
        f"{DEFAULTS['boards']})",
    )
    boards.add_argument(
        "--timeout",
        type=positive_int,
        metavar="SECONDS",
        help=f"for every wait on a board (default: {DEFAULTS['timeout']})",
    )
    boards.add_argument(
        "--judge",
        type=whole_number,
        metavar="N",
        help="of each kernel the N best tiles and the default one are tried in the whole network "
        f"after the search, 0 for none (default: {DEFAULTS['judge']})",
    )
    boards.add_argument(
        "--cooldown",
        type=not_negative,
        metavar="SECONDS",
        help="boards rest that long between batches, and before a time that their clock spoiled "
        f"is taken again (default: {DEFAULTS['cooldown']:g})",
    )
    boards.add_argument(
        "--drift",
        type=not_negative,
        metavar="PERCENT",
        help="times count where a small kernel, run right before and after, was at most that much "
        "slower or faster than its usual time on the board; others are discarded and taken again "
        f"(default: {DEFAULTS['drift']:g})",
    )


def _add_upkeep(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("upkeep of logs")
    upkeep = group.add_mutually_exclusive_group()
    upkeep.add_argument(
        "--merge",
        type=existing_file,
        nargs="+",
        metavar="LOG",
        help="writes the records of all to --into",
    )
    upkeep.add_argument(
        "--prune",
        type=existing_file,
        metavar="LOG",
        help="keeps of each kernel the best record and the default tile's",
    )
    upkeep.add_argument(
        "--verify",
        type=Path,
        nargs="*",
        metavar="PATH",
        help="replays the records of logs, or of all logs in folders (default: the shipped ones)",
    )
    group.add_argument(
        "--into", type=new_file, metavar="LOG", help="where --merge writes; its records stay"
    )
