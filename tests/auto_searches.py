"""Searches of MetaSchedule's own space that are short enough for tests."""

from __future__ import annotations

import pytest
import tvm

from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.targets import parse_target
from compile.tuning import auto_search
from compile.tuning.auto_candidate import trace_of
from compile.tuning.plain_kernel import plain_kernel
from compile.tuning.trial import Where
from deploy_rpc.board_spec import BoardSpec

TARGET = parse_target("cortex-a72")
WHERE = Where(TARGET, "cortex-a72", BoardSpec("modelled", core="cortex-a72"), TARGET.core)
TINY = plain_kernel(PointwiseWorkload(2, 4, 4, 16, relu=True, shortcut=True))


def shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small population of one generation."""
    monkeypatch.setattr(auto_search, "POPULATION", 8)
    monkeypatch.setattr(auto_search, "GENERATIONS", 1)


def split_trace(factor: int) -> list[object]:
    """How a schedule comes about that splits the innermost loop of `TINY`'s sum."""
    schedule = tvm.s_tir.Schedule(tvm.IRModule({"main": TINY}))
    *_, innermost = schedule.get_loops(schedule.get_sblock("group_conv2d_nchw"))
    schedule.split(innermost, factors=[None, factor])
    return trace_of(schedule)
