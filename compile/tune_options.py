"""The command line of tune.py."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from compile.targets import TargetError, parse_target, with_dtype
from compile.tuning.clock import MOST_DRIFT
from compile.tuning.decisions import TUNING_LOGS
from deploy_rpc.board_spec import BoardSpec, parse_board
from deploy_rpc.cores import DTYPES
from model.cli import argument, new_file, not_negative, positive_int, whole_number
from model.zoo import DEFAULT_MODEL, model_name

DEFAULT_TRIALS = 1000
DEFAULT_JUDGED = 3
AUTO = "auto"  # the space, and the folder of its records beside those of templates
KEPT = 1  # best records of each kernel and core, beside the default tile's


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """The options, with `tunes` False where a log is kept up; leaves with exit code 2 otherwise.

    For tuning, `target` is resolved, and `board` is its modelled core where none was named.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    options.tunes = _tunes(parser, options)
    if options.tunes:
        try:
            options.target = with_dtype(parse_target(options.target_text), options.dtype)
        except TargetError as error:
            parser.error(f"--target: {error}")
        options.board = options.board or BoardSpec("modelled", core=options.target.core.name)
        if options.dtype == "float16" and options.board.kind != "modelled":
            parser.error(
                f"--dtype float16 is tuned on modelled cores only; expected --board "
                f"modelled[:CORE], got {options.board}"
            )
        if options.space == AUTO and options.board.kind != "modelled":
            parser.error(f"--space auto: expected --board modelled[:CORE], got {options.board}")
        if options.space == AUTO and options.dtype != "float32":
            parser.error(f"--space auto: expected --dtype float32, got {options.dtype}")
    return options


def _tunes(parser: argparse.ArgumentParser, options: argparse.Namespace) -> bool:
    """Whether a search is asked for, and not the upkeep of logs."""
    upkeep = options.merge or options.prune or options.verify is not None
    if bool(options.merge) != bool(options.into):
        parser.error("--merge A B ... needs --into FILE, and --into needs --merge")
    if upkeep and options.target_text:
        parser.error("--target is for tuning; --merge, --prune and --verify go without it")
    if not upkeep and not options.target_text:
        parser.error("--target is required for tuning")
    return not upkeep


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tune.py",
        description="Searches each kernel's decisions on a modelled core or on boards; "
        "build.py --level tuned takes what was found.",
    )
    add = parser.add_argument
    add("--target", dest="target_text", metavar="T", help="as for build.py; required for tuning")
    add(
        "--board",
        type=argument(parse_board),
        metavar="BOARD",
        help="modelled[:CORE] (default, of the target's core), local, rpc://HOST:PORT or "
        "tracker://HOST:PORT/KEY",
    )
    add(
        "--boards",
        type=positive_int,
        default=1,
        metavar="N",
        help="sessions at once: how many boards of a tracker to use (default: %(default)s)",
    )
    add(
        "--timeout",
        type=positive_int,
        default=60,
        metavar="SECONDS",
        help="for every wait on a board (default: %(default)s)",
    )
    add(
        "--judge",
        type=whole_number,
        default=DEFAULT_JUDGED,
        metavar="N",
        help="on boards: of each kernel the N best tiles and the default one are tried in the "
        "whole network after the search, 0 for none (default: %(default)s)",
    )
    add(
        "--cooldown",
        type=not_negative,
        default=0.0,
        metavar="SECONDS",
        help="boards rest that long between batches, and before a time that their clock spoiled "
        "is taken again (default: %(default)g)",
    )
    add(
        "--drift",
        type=not_negative,
        default=100 * MOST_DRIFT,
        metavar="PERCENT",
        help="times count where a small kernel, run right before and after, was at most that much "
        "slower than its fastest time on the board; others are discarded and taken again "
        "(default: %(default)g)",
    )
    add(
        "--model",
        type=argument(model_name),
        default=DEFAULT_MODEL,
        metavar="NAME",
        help="default: %(default)s",
    )
    add(
        "--dtype",
        choices=DTYPES,
        default="float32",
        help="of weights and activations, as for build.py (default: %(default)s)",
    )
    add(
        "--space",
        choices=("template", AUTO),
        default="template",
        help="template: the decisions of our templates, which builds take (default); auto: "
        "MetaSchedule's own space, of the kernels that no template covers and, for comparison, of "
        "the convolutions that templates do, on modelled cores; its records are kept apart, in "
        "DIR/CORE/auto, and no build takes them",
    )
    add("--trials", type=positive_int, default=DEFAULT_TRIALS, metavar="N", help="at most")
    add("--resume", action="store_true", help="go on from what the log holds")
    add(
        "--workers",
        type=positive_int,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="candidates at once (default: the cores of this machine)",
    )
    add(
        "--tuning-logs",
        type=Path,
        default=TUNING_LOGS,
        metavar="DIR",
        help="DIR/CORE/NAME.jsonl is written (default: those of the project)",
    )
    upkeep = parser.add_argument_group("upkeep of logs").add_mutually_exclusive_group()
    upkeep.add_argument(
        "--merge", type=Path, nargs="+", metavar="LOG", help="writes the records of all to --into"
    )
    upkeep.add_argument(
        "--prune",
        type=Path,
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
    add("--into", type=Path, metavar="LOG", help="where --merge writes; its records stay")
    add(
        "--json",
        type=new_file,
        metavar="FILE",
        help="write the result and the tuning curve here, and the curve as a PNG beside it",
    )
    return parser
