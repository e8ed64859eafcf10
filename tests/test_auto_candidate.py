"""A schedule of MetaSchedule's is made again from its trace, and priced where it answers right."""

from __future__ import annotations

import json

import tvm

from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.tuning.auto_candidate import examine_scheduled, scheduled_by, trace_of
from compile.tuning.plain_kernel import plain_kernel
from tests.auto_searches import TINY, split_trace
from tests.needs import needs_cycle_model


@needs_cycle_model
def test_a_schedule_that_answers_wrong_has_no_price() -> None:
    right = tvm.IRModule({"main": TINY})
    without_relu = PointwiseWorkload(2, 4, 4, 16, relu=False, shortcut=True)
    wrong = tvm.IRModule({"main": plain_kernel(without_relu)})
    texts = tvm.ir.save_json(right), "cortex-a72", "cortex-a72"
    assert examine_scheduled(tvm.ir.save_json(wrong), *texts).outcome == "wrong answer"
    assert examine_scheduled(texts[0], *texts).outcome == "ok"


def test_a_trace_that_went_through_json_makes_the_same_schedule() -> None:
    trace = split_trace(1)
    schedule = scheduled_by(TINY, json.loads(json.dumps(trace)))
    assert trace_of(schedule) == trace
    assert len(schedule.get_loops(schedule.get_sblock("group_conv2d_nchw"))) == 8
