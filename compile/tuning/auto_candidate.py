"""One schedule of MetaSchedule's, examined in a worker: right answers first, then modelled cycles.

A schedule is the trace of the steps that make it of the unscheduled kernel. It is kept whole, with
what the postprocessors did, so that it needs none of them to be made again.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tvm
from tvm import tirx
from tvm.s_tir.schedule import Schedule, Trace
from tvm.s_tir.transform import RemoveWeightLayoutRewriteBlock

from compile.price_kernel import KernelPriceError, price_kernel
from compile.targets import parse_target
from compile.tuning.candidate import (
    BUILD_ERRORS,
    MOST_ERROR,
    Examined,
    answer_here,
    difference,
    does_not_build,
    drawn_value,
    wrong_answer,
)
from deploy_rpc.cores import find_core


def examine_scheduled(scheduled: str, plain: str, target: str, core: str) -> Examined:
    """What the module `scheduled`, as JSON, is worth on modelled `core`, built for `target`.

    Answers are those of `plain` on this machine; weights are packed before the call that counts.
    """
    module = tvm.ir.load_json(scheduled)
    try:
        error = error_of_schedule(module["main"], plain)
        if error > MOST_ERROR:
            return wrong_answer(error)
        packed = RemoveWeightLayoutRewriteBlock(skip_tensor_rewrite=True)(module)
        report = price_kernel(packed["main"], parse_target(target), find_core(core))
    except (*BUILD_ERRORS, KernelPriceError) as failure:
        return does_not_build(failure)
    return Examined("ok", (report.cycles,))


def error_of_schedule(scheduled: tirx.PrimFunc, plain: str) -> float:
    """How far its answer on this machine is from that of the module `plain`, as JSON."""
    return difference(_answer(scheduled, *_shapes(plain)), _expected(plain))


def trace_of(schedule: Schedule) -> list[Any]:
    """How `schedule` came about, as plain JSON."""
    return _plain(schedule.trace.as_json())


def scheduled_by(plain: tirx.PrimFunc, trace: list[Any]) -> Schedule:
    """What `trace_of` told, done again to `plain`; raises TVM's errors where that does not go."""
    schedule = Schedule(tvm.IRModule({"main": plain}))
    Trace.apply_json_to_schedule(trace, schedule)
    return schedule


def _plain(part: Any) -> Any:  # noqa: ANN401 (numbers, texts, lists of them)
    if part is None or isinstance(part, bool | int | float):
        return part
    if isinstance(part, str):
        return str(part)
    if isinstance(part, tirx.IntImm | tirx.FloatImm):
        return part.value
    return [_plain(each) for each in part]


@functools.lru_cache(maxsize=2)
def _expected(plain: str) -> np.ndarray:
    return _answer(tvm.ir.load_json(plain)["main"], *_shapes(plain))


def _shapes(plain: str) -> list[tuple[int, ...]]:
    parameters = tvm.ir.load_json(plain)["main"].params
    return [tuple(int(extent) for extent in buffer.shape) for buffer in parameters]


def _answer(function: tirx.PrimFunc, *shapes: tuple[int, ...]) -> np.ndarray:
    return answer_here(function, [drawn_value(*each) for each in enumerate(shapes)])
