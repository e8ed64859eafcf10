"""Every kernel says which template made it, and can be made again from that."""

from __future__ import annotations

import dataclasses

import pytest
import tvm
from tvm import tirx

from compile.lower import lower
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.templates import Workload, made_by_default, made_from
from compile.schedules.window_workload import WindowWorkload
from tests.cores import A72, AVX512, BOTH, host_with_schedules_of
from tests.small_networks import small_network

WORKLOADS = {
    "pointwise": PointwiseWorkload(3, 10, 8, 49, True, True),
    "pointwise in channels": PointwiseWorkload(3, 10, 8, 49, True, True, layout="channels"),
    "window": WindowWorkload("conv", 1, 8, 3, (9, 9), (3, 3), 2, (1, 1), True),
    "pool in channels": WindowWorkload(
        "average", 8, 1, 1, (9, 9), (3, 3), 2, (1, 1), layout="channels"
    ),
}


@pytest.mark.parametrize("core", BOTH, ids=lambda core: core.name)
@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_a_kernel_can_be_made_again_from_its_note(workload: Workload, core: object) -> None:
    made = made_by_default(workload, core, threads=2)
    kernel = made.kernel()
    again = made_from(kernel)
    assert again == made
    tvm.ir.assert_structural_equal(again.kernel(), kernel)


def test_layouts_have_templates_of_their_own() -> None:
    for layout, template in (("planes", "window"), ("channels", "window_channels")):
        workload = dataclasses.replace(WORKLOADS["window"], layout=layout)
        assert made_by_default(workload, AVX512, 1).template == template


def test_threads_share_the_tiles_of_one() -> None:
    """So that records of one thread hold for any number; LLVM spills none of 20 accumulators."""
    workload = PointwiseWorkload(3, 80, 160, 196, True, True, layout="channels")
    alone, shared = (made_by_default(workload, AVX512, threads).tile for threads in (1, 2))
    assert shared == alone
    assert shared.rows * shared.vectors >= 19


def test_a_kernel_of_no_template_has_no_note() -> None:
    lowered = lower(small_network(), "unfused", host_with_schedules_of(A72))
    functions = {
        variable.name_hint: function
        for variable, function in lowered.module.functions.items()
        if isinstance(function, tirx.PrimFunc)
    }
    for kernel in lowered.kernels:
        noted = made_from(functions[kernel.name]) is not None
        assert noted == (kernel.source == "default")
