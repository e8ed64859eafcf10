"""Schedules out of MetaSchedule's own space of a convolution: random ones, without any search.

The space is that of its rules for CPUs (inlining, multi-level tiling, vectors, unrolling), without
parallel loops. A schedule is its trace with all decisions drawn again by a seed; what the rules'
postprocessors refuse, or another seed has drawn before, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tvm
from tvm import te, tirx, topi
from tvm.s_tir import meta_schedule
from tvm.s_tir.meta_schedule import postproc
from tvm.s_tir.meta_schedule import schedule_rule as rule
from tvm.s_tir.schedule import Schedule, Trace

from compile.tuning.tensor_intrinsics import without_tensor_intrinsics
from model.errors import InputError

TARGET = {"kind": "llvm", "mcpu": "haswell", "num-cores": 1}
VECTOR_BYTES = 64  # MetaSchedule's limits for CPUs, also of the unrolled steps and innermost loops
UNROLLED_STEPS = [0, 16, 64, 512]
INNERMOST = 64
TRIES = 20  # for each schedule that is wanted


class SearchSpaceError(InputError):
    """A space with too few schedules."""


def random_schedules(
    image: tuple[int, int, int], kernel: tuple[int, int, int], count: int
) -> Iterator[tuple[int, list[Any], tirx.PrimFunc]]:
    """`count` schedules with their seeds and decisions, all different.

    `image` is (input channels, rows, columns), `kernel` (output channels, input channels of a
    group, rows and columns); stride 1, padded to the image's size. Raises `SearchSpaceError`.
    """
    context = _context(convolution(image, kernel))
    trace = context.generate_design_space()[0].trace
    seen: set[str] = set()
    for seed in range(1, TRIES * count + 1):
        schedule = Schedule(context.mod, seed=seed)
        Trace(trace.insts, {}).apply_to_schedule(schedule, remove_postproc=True)
        decisions = _decisions(schedule.trace)
        if str(decisions) in seen or not _finished(schedule, context):
            continue
        seen.add(str(decisions))
        yield seed, decisions, schedule.mod["main"]
        if len(seen) == count:
            return
    raise SearchSpaceError(f"only {len(seen)} different schedules by {TRIES * count} seeds")


def convolution(image: tuple[int, int, int], kernel: tuple[int, int, int]) -> tirx.PrimFunc:
    """main(X (1, IC, H, W), W (OC, IC / groups, K, K), Y (1, OC, H, W)), as TVM defines it."""
    (inputs, rows, columns), (outputs, of_group, size) = image, kernel
    x = te.placeholder((1, inputs, rows, columns), name="x")
    w = te.placeholder((outputs, of_group, size, size), name="w")
    y = topi.nn.group_conv2d_nchw(x, w, 1, size // 2, 1, inputs // of_group)
    return te.create_prim_func([x, w, y]).with_attr("global_symbol", "main")


def _context(function: tirx.PrimFunc) -> meta_schedule.TuneContext:
    space = meta_schedule.space_generator.PostOrderApply(
        sch_rules=[
            rule.AutoInline(False, True, True, True, True, True, []),
            rule.MultiLevelTiling(
                structure="SSRSRS",
                max_innermost_factor=INNERMOST,
                reuse_write=rule.ReuseType(req="may", levels=[1, 2], scope="global"),
            ),
            rule.ParallelizeVectorizeUnroll(-1, VECTOR_BYTES, UNROLLED_STEPS, True),
        ],
        postprocs=[
            postproc.DisallowDynamicLoop(),
            postproc.RewriteParallelVectorizeUnroll(),
            postproc.RewriteReductionBlock(),
        ],
        mutator_probs={},
    )
    with without_tensor_intrinsics():
        return meta_schedule.TuneContext(
            mod=tvm.IRModule({"main": function}),
            target=tvm.target.Target(TARGET),
            space_generator=space,
            rand_state=1,
            num_threads=1,
        )


def _finished(schedule: Schedule, context: meta_schedule.TuneContext) -> bool:
    return all(each.apply(schedule) for each in context.space_generator.postprocs)


def _decisions(trace: Trace) -> list[Any]:
    """Of its sampling instructions, in their order."""
    taken = (trace.decisions[each] for each in trace.insts if each in trace.decisions)
    return [
        int(each) if isinstance(each, tirx.IntImm | int) else list(map(int, each)) for each in taken
    ]
