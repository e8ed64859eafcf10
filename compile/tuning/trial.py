"""What becomes of a trial: a record, with all that says how it came about."""

from __future__ import annotations

import dataclasses
import datetime
from dataclasses import dataclass
from typing import Any

from compile.report import versions
from compile.targets import CompileTarget
from compile.tuning.candidate import Examined
from compile.tuning.decisions import plain, workload_fields
from compile.tuning.log_cores import log_name
from compile.tuning.record import Record
from compile.tuning.record_fields import DATE_FORMAT, RECORD_FORMAT
from compile.tuning.task import TEMPLATE_VERSIONS, Task
from deploy_rpc.board_spec import BoardSpec
from deploy_rpc.cores import Core
from deploy_rpc.host import host_core

RECORDED_VERSIONS = ("apache-tvm", "llvm", "shufflenet-compiled")


@dataclass(frozen=True)
class Where:
    """What candidates are built for, and where they are priced."""

    target: CompileTarget
    target_text: str
    board: BoardSpec
    core: Core


def trial_record(
    task: Task,
    tile: Any,  # noqa: ANN401 (any template's tile)
    examined: Examined,
    where: Where,
    kind: str,
    unit: str,
) -> Record:
    """The record, of now, that `task` with `tile` was `examined`; `kind` and `unit` as there."""
    made = task.made
    return record_of_now(
        examined,
        where,
        space="template",
        template=made.template,
        template_version=TEMPLATE_VERSIONS[made.template],
        workload=workload_fields(made.workload),
        threads=made.threads,
        decisions=plain(dataclasses.asdict(tile)),
        kind=kind,
        unit=unit,
    )


def record_of_now(examined: Examined, where: Where, **what: Any) -> Record:  # noqa: ANN401
    """The record, of now, of what was `examined`: `what` are the fields that say what it was."""
    taking_part = versions()
    return Record(
        format=RECORD_FORMAT,
        target=where.target.name,
        core=log_name(where.core),
        tvm_target=str(where.target.tvm),
        board=_board_of(where),
        outcome=examined.outcome,
        samples=examined.samples,
        counters=examined.counters,
        versions={name: taking_part[name] for name in RECORDED_VERSIONS},
        date=datetime.datetime.now(datetime.timezone.utc).strftime(DATE_FORMAT),
        **what,
    )


def _board_of(where: Where) -> str:
    """Where it was tried; with this machine's core, where `target` is for another one."""
    is_other = where.board.kind == "local" and not where.target.is_host
    return f"{where.board}, {log_name(host_core())}" if is_other else str(where.board)
