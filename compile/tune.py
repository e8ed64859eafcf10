"""python compile/tune.py --target T --board modelled:CORE: better decisions for each kernel.

And the upkeep of logs: --merge, --prune, --verify.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from compile.lower import lower
from compile.source import random_network
from compile.targets import TargetError, parse_target
from compile.tuning.curve import draw_curve
from compile.tuning.decisions import TUNING_LOGS, is_default
from compile.tuning.experience import counted, lessons_of
from compile.tuning.log import LogError, TuningLog, merge_logs, prune_log
from compile.tuning.log_cores import log_name
from compile.tuning.measure import Boards
from compile.tuning.modelled import ModelledCore
from compile.tuning.task import tasks_of
from compile.tuning.tuner import Step, Tuner, Where
from compile.tuning.verify import logs_in, verify_logs
from deploy_rpc.board_spec import BoardError, BoardSpec, parse_board
from deploy_rpc.core_models import llvm_model
from deploy_rpc.cores import Core, find_core
from deploy_rpc.cycles import missing_modelling_tools
from deploy_rpc.host import host_core
from model.cli import argument, phase, positive_int, run_command, write_json
from model.zoo import DEFAULT_MODEL, model_name

DEFAULT_TRIALS = 1000
KEPT = 2  # records of each kernel and core


def main(arguments: list[str] | None = None) -> None:
    """Tunes the kernels of a network; what was tried is in the log at every moment."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not _tunes(parser, options):
        _keep_up(options)
        return
    try:
        options.target = parse_target(options.target_text)
    except TargetError as error:
        parser.error(f"--target: {error}")
    board = options.board or BoardSpec("modelled", core=options.target.core.name)
    where = Where(options.target, options.target_text, board, _core(options, board))
    with phase(f"lower {options.model}"):
        network = random_network(options.model)
        tasks = tasks_of(lower(network, "fused", options.target))
    log = TuningLog(options.tuning_logs / log_name(where.core) / f"{options.model}.jsonl")
    with _examiner(options, where) as examiner:
        print(f"{len(tasks)} kernels on {board}, up to {options.trials} trials; log: {log.path}")
        lessons = lessons_of([options.tuning_logs, TUNING_LOGS], log.path)
        print(f"the model starts from {counted(lessons)} of other logs")
        tuner = Tuner(tasks, where, examiner, log, lessons)
        if options.resume:
            print(f"resumed: {tuner.resume()} trials from the log")
        try:
            tuner.run(options.trials, _print_step(options.trials, examiner.unit))
        except (KeyboardInterrupt, BoardError):
            print(f"interrupted; {log.path} holds every trial, go on with --resume")
            raise
    _print_result(tuner, examiner.unit)
    if options.json:
        write_json(options.json, _report(tuner, where, options.model, examiner))
        picture = options.json.with_suffix(".png")
        if draw_curve(tuner.steps, examiner.unit, f"{options.model} on {board}", picture):
            print(picture)
    print(log.path)


def _examiner(options: argparse.Namespace, where: Where) -> ModelledCore | Boards:
    if where.board.kind == "modelled":
        return ModelledCore(where.target_text, where.core, options.workers)
    return Boards(
        where.board,
        where.target,
        1 if where.board.kind == "local" else options.boards,
        timeout_s=options.timeout,
        say=lambda text: print(text, flush=True),
    )


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


def _keep_up(options: argparse.Namespace) -> None:
    if options.merge:
        print(f"{options.into}: {merge_logs(options.merge, options.into)} records")
    elif options.prune:
        dropped = prune_log(options.prune, KEPT, is_default)
        print(
            f"{options.prune}: dropped {dropped} records, kept the best {KEPT} of each kernel, "
            "and the default"
        )
    else:
        _verify(options.verify or [TUNING_LOGS], options.workers)


def _verify(paths: list[Path], workers: int) -> None:
    logs = list(dict.fromkeys(log for path in paths for log in logs_in(path)))
    with Progress(transient=True) as progress:
        bar = progress.add_task("replaying records", total=None)
        faults = verify_logs(
            logs, workers, lambda done, of: progress.update(bar, completed=done, total=of)
        )
    for fault in faults:
        print(f"{fault.log}, record {fault.number}: {fault.reason}")
    if faults:
        raise LogError(f"{len(faults)} records are wrong; remove them, or tune those kernels again")
    print(f"{len(logs)} logs: every record is what a build takes, and answers right")


def _core(options: argparse.Namespace, board: BoardSpec) -> Core:
    """The core that is tuned for; raises `BoardError` where `board` has no times for it."""
    if board.kind == "emulated":
        raise BoardError(f"{board} emulates: its times mean nothing; take modelled:CORE")
    if board.kind == "local" and options.target.core != host_core():
        raise BoardError(
            f"target {options.target.name} is not this machine; expected --target host with "
            "--board local, or a board of the target's kind"
        )
    if board.kind != "modelled":
        return options.target.core
    missing = missing_modelling_tools()
    if missing:
        raise BoardError(f"no cycles can be modelled here: {'; '.join(missing)}")
    core = find_core(board.core) if board.core else options.target.core
    llvm_model(core)
    return core


def _print_step(trials: int, unit: str) -> Callable[[Step], None]:
    def report(step: Step) -> None:
        rate = step.trials / max(step.seconds, 1e-9)
        print(
            f"{step.trials:5d}/{trials} trials, {_network_cost(step.cost, unit)}, "
            f"{rate:.1f} trials/s, at most {(trials - step.trials) / max(rate, 1e-9):.0f} s left "
            f"({step.task})",
            flush=True,
        )

    return report


def _network_cost(cost: float, unit: str) -> str:
    if unit == "cycles":
        return f"{cost / 1e6:8.3f} M modelled cycles"
    return f"{cost * 1e3:8.3f} ms measured"


def _print_result(tuner: Tuner, unit: str) -> None:
    total = tuner.network_cost
    kind, short, scale = (
        ("Modelled cycles", "k", 1e-3) if unit == "cycles" else ("Measured times", "us", 1e6)
    )
    table = Table("kernel", title=f"{kind}, one thread", title_justify="left")
    for column in ("calls", "tried", "of", f"default, {short}", f"best, {short}", "gain", "share"):
        table.add_column(column, justify="right")
    for each in tuner.progress:
        table.add_row(
            each.task.name,
            str(each.task.calls),
            str(len(each.tried)),
            str(len(each.space)),
            f"{each.default_cost * scale:.1f}",
            f"{each.best_cost * scale:.1f}",
            f"{each.default_cost / each.best_cost:.3f}x",
            f"{each.task.calls * each.best_cost / total:.1%}",
        )
    Console(width=None if Console().is_terminal else 120).print(table)
    before = tuner.default_network_cost
    print(
        f"all kernels: {_network_cost(before, unit).strip()} -> "
        f"{_network_cost(total, unit).strip()} ({before / total:.3f}x)"
    )


def _report(
    tuner: Tuner, where: Where, model: str, examiner: ModelledCore | Boards
) -> dict[str, Any]:
    return {
        "model": model,
        "target": where.target.name,
        "core": log_name(where.core),
        "kind": examiner.kind,
        "unit": examiner.unit,
        "default": tuner.default_network_cost,
        "tuned": tuner.network_cost,
        "curve": [vars(step) for step in tuner.steps],
    }


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
        "--model",
        type=argument(model_name),
        default=DEFAULT_MODEL,
        metavar="NAME",
        help="default: %(default)s",
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
        "--prune", type=Path, metavar="LOG", help=f"keeps the best {KEPT} records of each kernel"
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
        type=Path,
        metavar="FILE",
        help="write the result and the tuning curve here, and the curve as a PNG beside it",
    )
    return parser


if __name__ == "__main__":
    run_command(main)
