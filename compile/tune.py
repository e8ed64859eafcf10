"""python compile/tune.py --target T --board modelled:CORE: better decisions for each kernel.

And the upkeep of logs: --merge, --prune, --verify.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.progress import Progress

from compile.latency import Latency, latency_table
from compile.lower import Lowered, lower
from compile.source import import_network
from compile.tune_auto import tune_auto
from compile.tune_checks import AUTO
from compile.tune_options import KEPT, parse_options
from compile.tuning.curve import draw_curve
from compile.tuning.decisions import TUNING_LOGS, is_default, is_usable, recorded_decisions
from compile.tuning.display import Display, print_result
from compile.tuning.experience import counted, lessons_of
from compile.tuning.judge import Judge
from compile.tuning.log import TuningLog
from compile.tuning.log_cores import log_name
from compile.tuning.log_file import LogError
from compile.tuning.log_upkeep import merge_logs, prune_log
from compile.tuning.measure import Boards
from compile.tuning.modelled import ModelledCore
from compile.tuning.one_board import BoardLimits
from compile.tuning.task import tasks_of
from compile.tuning.trial import Where
from compile.tuning.tuner import Tuner
from compile.tuning.verify import logs_in, verify_logs
from compile.tuning.whole import before_and_after
from compile.tuning.workers import WorkerError
from deploy_rpc.board_spec import BoardError
from deploy_rpc.core_models import llvm_model
from deploy_rpc.cycles import missing_modelling_tools
from deploy_rpc.network_cycles import missing_modelled_board_tools
from model.cli import phase, run_command, write_json
from model.console import table_console
from model.zoo import default_input_size


def main(arguments: list[str] | None = None) -> None:
    """Tunes the kernels of a network; what was tried is in the log at every moment."""
    options = parse_options(arguments)
    if not options.tunes:
        _keep_up(options)
        return
    _require_tools(options)
    where = Where(options.target, options.target_text, options.board, options.target.core)
    log = _log(options, where)
    try:
        report = tune_auto(options, where, log) if _is_auto(options) else _tune(options, where, log)
    except (KeyboardInterrupt, BoardError, WorkerError):
        print(f"interrupted; {log.path} holds every trial, go on with --resume")
        raise
    if options.json:
        write_json(options.json, report)
    print(log.path)


def _is_auto(options: argparse.Namespace) -> bool:
    return options.space == "auto"


def _log(options: argparse.Namespace, where: Where) -> TuningLog:
    """Named after the network, its input size where one was asked for that is not the usual one,
    and its number format where that is not float32.
    """
    stem = options.onnx.stem if options.onnx else options.model
    usual = None if options.onnx else default_input_size(options.model)
    if options.input_size not in (None, usual):
        stem += "@{}x{}".format(*options.input_size)
    if options.dtype != "float32":
        stem += f".{options.dtype}"
    folder = options.tuning_logs / log_name(where.core)
    return TuningLog((folder / AUTO if _is_auto(options) else folder) / f"{stem}.jsonl")


def _tune(options: argparse.Namespace, where: Where, log: TuningLog) -> dict[str, Any]:
    """Searches, judges, and compares; returns the report."""
    with phase("import and lower"):
        network = import_network(options)
        fused = lower(network, "fused", options.target)
    tasks = tasks_of(fused)
    print(
        f"{network.name}: {len(tasks)} kernels on {where.board}, the default tile of each first; "
        f"log: {log.path}"
    )
    lessons = lessons_of([options.tuning_logs, TUNING_LOGS], log.path)
    print(f"the model starts from {counted(lessons)} of other logs")
    with _examiner(options, where) as examiner:
        tuner = Tuner(tasks, where, examiner, log, lessons)
        if options.resume:
            print(f"resumed: {tuner.resume()} trials from the log")
        core = where.core.of(where.target.dtype)
        trials = max(options.trials, len(tuner.without_default))
        print(f"up to {trials} trials")
        with Display(tuner, trials, examiner.unit, core) as display:
            tuner.run(trials, display.report)
    print_result(tuner, examiner.unit, core)
    if options.json:
        picture = options.json.with_suffix(".png")
        title = f"{network.name} on {where.board}"
        if draw_curve(tuner.steps, examiner.unit, title, picture):
            print(picture)
    verdicts = list(_judged(options, fused, where, tuner)) if examiner.kind == "measured" else []
    latencies = _before_and_after(options, fused, where)
    return {
        "model": network.name,
        "target": where.target.name,
        "core": log_name(where.core),
        "dtype": where.target.dtype,
        "kind": examiner.kind,
        "unit": examiner.unit,
        "lessons": len(lessons),
        "default": tuner.default_network_cost,
        "tuned": tuner.network_cost,
        "curve": [vars(step) for step in tuner.steps],
        "in_network": verdicts,
        "network": [vars(latency) | {"median": latency.median} for latency in latencies],
    }


def _judged(
    options: argparse.Namespace, fused: Lowered, where: Where, tuner: Tuner
) -> Iterator[dict[str, Any]]:
    """Records and tells what each kernel's best tiles are worth in the whole network."""
    contenders = tuner.contenders(options.judge) if options.judge else []
    if all(len(each.tiles) == 1 for each in contenders):
        return
    judge = Judge(fused, where.board, options.timeout, _say)
    for verdict in judge.verdicts(contenders):
        tuner.take(verdict)
        _say(f"in the network: {verdict}")
        yield {
            "kernel": verdict.task.name,
            "decisions": dataclasses.asdict(verdict.tile),
            "judged": verdict.judged,
            "seconds": verdict.seconds,
            "seconds_before": verdict.seconds_before,
        }


def _before_and_after(options: argparse.Namespace, fused: Lowered, where: Where) -> list[Latency]:
    """The network untuned, and as `build.py --level tuned` takes the logs now."""
    missing = missing_modelled_board_tools() if where.board.kind == "modelled" else []
    if missing:
        print(f"the whole network is not priced: {'; '.join(missing)}")
        return []
    decisions = recorded_decisions(options.tuning_logs, where.core)
    latencies = before_and_after(fused, decisions, where.board)
    table_console().print(latency_table(latencies))
    return latencies


def _say(text: str) -> None:
    print(text, flush=True)


def _examiner(options: argparse.Namespace, where: Where) -> ModelledCore | Boards:
    if where.board.kind == "modelled":
        return ModelledCore(where.target_text, where.core, options.workers)
    return Boards(
        where.board,
        where.target_text,
        1 if where.board.kind == "local" else options.boards,
        limits=BoardLimits(options.timeout, options.cooldown, options.drift / 100),
        workers=options.workers,
        say=_say,
    )


def _keep_up(options: argparse.Namespace) -> None:
    if options.merge:
        print(f"{options.into}: {merge_logs(options.merge, options.into)} records")
    elif options.prune:
        dropped = prune_log(options.prune, KEPT, is_default, is_usable)
        print(
            f"{options.prune}: dropped {dropped} records, kept the best one of each kernel, and "
            "the default tile's"
        )
    else:
        _verify(options.verify, options.workers)


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


def _require_tools(options: argparse.Namespace) -> None:
    """Raises `BoardError`, `CoreModelError` where the modelled board cannot be had here."""
    if options.board.kind != "modelled":
        return
    missing = missing_modelling_tools()
    if missing:
        raise BoardError(f"no cycles can be modelled here: {'; '.join(missing)}")
    llvm_model(options.target.core)


if __name__ == "__main__":
    run_command(main)
