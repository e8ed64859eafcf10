"""Our templates' spaces against MetaSchedule's own: six kernels, the same time for each search.

Both searches start from nothing but the kernel, have two worker processes, price candidates with
the same model and count those alone that answer right. They are raced by cycles alone, though ours
weighs misses, too, as builds do (`Record.score`). What each starts from, our default tile and
the unscheduled kernel, is priced before the clock runs.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.our_networks import modelled_core
from bench.plain_kernels import KERNELS, PlainKernel
from bench.race import Race
from bench.rows import Row, report_row
from compile.schedules.templates import Made, made_by_default
from compile.targets import CompileTarget
from compile.tuning.auto_search import BATCH, MODULE, AutoSearch
from compile.tuning.candidate import Examined
from compile.tuning.log import TuningLog
from compile.tuning.modelled import ModelledCore
from compile.tuning.plain_kernel import plain_kernel
from compile.tuning.task import Task
from compile.tuning.trial import Where
from compile.tuning.tuner import Tuner
from compile.tuning.workers import WorkerPool
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.cores import Core
from model.cli import phase

SUITE = "tuning"
SECONDS, SHORT_SECONDS = 60.0, 10.0  # of each search
WORKERS = 2
ENGINES = {"template": "shufflenet-compiled", "auto": "MetaSchedule"}


def measure_spaces(
    target: CompileTarget,
    board: BoardSpec,
    seconds: float = SECONDS,
    kernels: Sequence[PlainKernel] = KERNELS,
) -> Iterator[Row]:
    """Two rows a kernel: our templates' space, and MetaSchedule's."""
    core = modelled_core(target, board)
    for kernel in kernels:
        for space, search in (("template", search_template), ("auto", search_auto)):
            with phase(f"{kernel.name}, space {space}: {seconds:g} s"):
                race = search(kernel, Where(target, target.name, board, core), seconds)
            yield _row(kernel, space, race, target, core)


def search_template(kernel: PlainKernel, where: Where, seconds: float) -> Race:
    """Our tuner's search of our space; it ends before the time where it expects no more."""
    made = made_by_default(kernel.workload, where.core, 1)
    task = Task(kernel.name, made, 1, kernel.workload.macs)
    with tempfile.TemporaryDirectory() as folder, _examiner(where) as examiner:
        start = _cost_of(examiner, made)
        timed = _Timed(examiner, Race(seconds, start))
        tuner = Tuner([task], where, timed, TuningLog(Path(folder) / "log.jsonl"))
        wanted, tried = 0, -1
        while not timed.race.is_over and timed.tried > tried:
            wanted, tried = wanted + BATCH, timed.tried
            tuner.run(wanted, lambda _: None)
    return timed.race


def search_auto(kernel: PlainKernel, where: Where, seconds: float) -> Race:
    """MetaSchedule's search of its own space."""
    pool = WorkerPool(WORKERS, MODULE)
    try:
        search = AutoSearch(plain_kernel(kernel.workload), where.target, where.core, pool)
        race = Race(seconds, search.start_cost())
        search.run(lambda trial: race.note(trial.examined.cost), lambda: race.is_over)
    finally:
        pool.close()
    return race


class _Timed:
    """An examiner whose trials count in a race."""

    def __init__(self, examiner: ModelledCore, race: Race) -> None:
        self.kind, self.unit, self.batch = examiner.kind, examiner.unit, BATCH
        self.race, self.tried = race, 0
        self._examiner = examiner

    def examine(self, pairs: Sequence[tuple[Made, Any]]) -> Iterator[tuple[int, Examined]]:
        for index, examined in self._examiner.examine(pairs):
            self.tried += 1
            self.race.note(examined.cost)
            yield index, examined


def _examiner(where: Where) -> ModelledCore:
    return ModelledCore(where.target_text, where.core, WORKERS)


def _cost_of(examiner: ModelledCore, made: Made) -> float:
    ((_, examined),) = examiner.examine([(made, made.tile)])
    return examined.cost


def _row(kernel: PlainKernel, space: str, race: Race, target: CompileTarget, core: Core) -> Row:
    macs = kernel.workload.macs
    return report_row(
        SUITE,
        target,
        network=None,
        engine=ENGINES[space],
        level=None,
        threads=1,
        kind="modelled",
        unit="cycles",
        samples=[race.best],
        core=core,
        kernel=kernel.name,
        space=space,
        workload=dataclasses.asdict(kernel.workload),
        macs=macs,
        start_cycles=race.start_cost,
        peak_share=macs / race.best / core.macs_per_cycle,
        trials=len(race.trials),
        failed=sum(cost == float("inf") for _, cost in race.trials),
        seconds=race.seconds,
        best_at_s=race.best_at,
        curve=[each for each in race.trials if each[1] < float("inf")],
    )


def spaces_table(rows: Sequence[Row]) -> Table:
    """Of the rows that `measure_spaces` makes."""
    first = rows[0]
    table = Table(
        title=f"our templates' spaces and MetaSchedule's on {first['core']}, one thread, "
        f"{first['seconds']:g} s a search; modelled, not measured",
        title_justify="left",
    )
    table.add_column("kernel", no_wrap=True)
    table.add_column("space", no_wrap=True)
    for column in ("trials", "failed", "best at, s", "start", "best, cycles", "of peak"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["kernel"],
            row["space"],
            str(row["trials"]),
            str(row["failed"]),
            f"{row['best_at_s']:.1f}",
            f"{row['start_cycles']:,.0f}",
            f"{row['median']:,.0f}",
            f"{row['peak_share']:.1%}",
        )
    return table
