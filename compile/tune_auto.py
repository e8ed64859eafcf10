"""tune.py --space auto: MetaSchedule's own space, and how it compares with our templates."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from compile.source import import_network
from compile.tuning.auto_search import BATCH, MODULE
from compile.tuning.auto_task import auto_tasks_of
from compile.tuning.auto_tuner import AutoProgress, AutoTuner
from compile.tuning.log import TuningLog
from compile.tuning.log_cores import log_name
from compile.tuning.trial import Where
from compile.tuning.workers import WorkerPool
from model.cli import phase
from model.console import table_console


def tune_auto(options: argparse.Namespace, where: Where, log: TuningLog) -> dict[str, Any]:
    """Searches, prints each kernel's cost beside our template's, and returns the report."""
    with phase("import and lower"):
        network = import_network(options)
        tasks = auto_tasks_of(network, where.target)
    print(
        f"{network.name}: {len(tasks)} kernels in MetaSchedule's own space on {where.board}; "
        f"{max(options.trials, BATCH * len(tasks))} trials; log: {log.path}"
    )
    with contextlib.closing(WorkerPool(options.workers, MODULE)) as pool:
        with phase("price the kernels without schedules, and by our templates"):
            tuner = AutoTuner(tasks, where, pool, log)
        if options.resume:
            print(f"resumed: {tuner.resume()} trials from the log")
        tuner.run(options.trials, lambda each: print(_line(each), flush=True))
    table_console().print(auto_table(tuner.progress, where.core.name))
    return {
        "model": network.name,
        "target": where.target.name,
        "core": log_name(where.core),
        "space": "auto",
        "kind": "modelled",
        "unit": "cycles",
        "kernels": [_row(each) for each in tuner.progress],
    }


def auto_table(progress: Sequence[AutoProgress], core: str) -> Table:
    """The kernels that take most of the network first."""
    title = f"Modelled k cycles of one call, {core}, one thread"
    table = Table("kernel", title=title, title_justify="left")
    for column in ("calls", "tried", "plain", "MetaSchedule", "template, default", "ratio"):
        table.add_column(column, justify="right")
    for each in sorted(progress, key=lambda each: -each.task.calls * each.best_cost):
        template = each.template_cost
        table.add_row(
            each.task.name,
            str(each.task.calls),
            str(len(each.trials)),
            f"{each.plain_cost / 1e3:.1f}",
            f"{each.best_cost / 1e3:.1f}",
            "-" if template is None else f"{template / 1e3:.1f}",
            "-" if template is None else f"{each.best_cost / template:.2f}",
        )
    return table


def _line(each: AutoProgress) -> str:
    return (
        f"{each.task.name}: {len(each.trials)} trials, {each.plain_cost / 1e3:.1f} -> "
        f"{each.best_cost / 1e3:.1f} k modelled cycles"
    )


def _row(each: AutoProgress) -> dict[str, Any]:
    return {
        "kernel": each.task.name,
        "calls": each.task.calls,
        "macs": each.task.macs,
        "trials": len(each.trials),
        "plain": each.plain_cost,
        "best": each.best_cost,
        "template_default": each.template_cost,
    }
