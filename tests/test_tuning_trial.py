"""A record says where its trial was run: of AVX2 code on which machine."""

from __future__ import annotations

from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.spaces import space_of
from compile.schedules.templates import made_by_default
from compile.targets import CompileTarget, host_target, parse_target, runs_here
from compile.tune_checks import LEVEL_TARGET
from compile.tuning.candidate import Examined
from compile.tuning.log_cores import log_name
from compile.tuning.measure import Boards
from compile.tuning.one_board import BoardLimits
from compile.tuning.record import Record
from compile.tuning.task import Task
from compile.tuning.trial import Where, trial_record
from deploy_rpc.board_spec import parse_board
from deploy_rpc.host import host_core
from tests.needs import skip_for

WORKLOAD = PointwiseWorkload(3, 8, 12, 36, relu=True, shortcut=False)
LOCAL = parse_board("local")
LEVEL = parse_target(LEVEL_TARGET)
LACKING = () if runs_here(LEVEL) else ("this machine has no AVX2",)


def recorded(target: CompileTarget, board: str) -> Record:
    where = Where(target, "as text", parse_board(board), target.core)
    task = Task("pointwise", made_by_default(WORKLOAD, target.core, 1), calls=1, macs=1)
    return trial_record(task, task.made.tile, Examined("ok", (1.0,)), where, "measured", "s")


def test_of_this_machines_own_code_the_core_says_which_machine_it_was() -> None:
    record = recorded(host_target(), "local")
    assert (record.core, record.board) == (log_name(host_core()), "local")


def test_of_code_for_the_avx2_level_the_board_says_which_machine_it_was() -> None:
    record = recorded(LEVEL, "local")
    assert record.core == "x86_64-x86-64-v3"
    assert record.board == f"local, {log_name(host_core())}"
    assert '"mcpu":"x86-64-v3"' in record.tvm_target


def test_a_board_of_its_own_is_named_as_it_was_asked_for() -> None:
    assert recorded(LEVEL, "rpc://127.0.0.1:9090").board == "rpc://127.0.0.1:9090"


@skip_for(LACKING)
def test_code_for_the_avx2_level_is_measured_here() -> None:
    made = made_by_default(WORKLOAD, LEVEL.core, 1)
    pairs = [(made, tile) for tile in space_of(WORKLOAD, LEVEL.core)[:2]]
    limits = BoardLimits(most_drift=float("inf"))
    with Boards(LOCAL, LEVEL_TARGET, 1, limits=limits, workers=1, say=print) as boards:
        examined = dict(boards.examine(pairs))
    assert [examined[number].outcome for number in (0, 1)] == ["ok", "ok"]
