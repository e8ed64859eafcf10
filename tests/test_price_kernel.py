"""Kernels of the templates have a price on the modelled cores, near what their MACs take."""

from __future__ import annotations

import pytest
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from compile.price_kernel import KernelPriceError, price_kernel
from compile.schedules.pointwise import pointwise
from compile.schedules.pointwise_default import default_tile
from compile.schedules.pointwise_workload import PointwiseWorkload
from compile.schedules.window import window
from compile.schedules.window_tiles import default_tile as default_window_tile
from compile.schedules.window_workload import WindowWorkload
from compile.targets import parse_target
from deploy_rpc.cores import Core, find_core
from tests.needs import needs_cycle_model

TARGET = parse_target("arm_cpu")
A72, N1 = find_core("cortex-a72"), find_core("neoverse-n1")


def kernel_of(workload: PointwiseWorkload) -> tirx.PrimFunc:
    return pointwise(workload, default_tile(workload, TARGET.core), threads=1)


@needs_cycle_model
@pytest.mark.parametrize("core", [A72, N1], ids=lambda core: core.name)
def test_a_pointwise_kernel_of_stage_3_runs_near_the_core_s_peak(core: Core) -> None:
    workload = PointwiseWorkload(3, 40, 160, 196, relu=True, shortcut=False, shuffle_rows=3)
    report = price_kernel(kernel_of(workload), TARGET, core)
    assert 0.9 < workload.macs / report.cycles / core.macs_per_cycle <= 1
    assert report.coverage == 1
    assert report.core == core.name


@needs_cycle_model
def test_a_kernel_with_scratch_memory_is_priced() -> None:
    workload = WindowWorkload("conv", 60, 1, 1, (28, 28), (3, 3), 1, (1, 1))
    kernel = window(workload, default_window_tile(workload, TARGET.core), threads=1)
    report = price_kernel(kernel, TARGET, A72)
    assert workload.macs / report.cycles > 2


@needs_cycle_model
def test_the_price_does_not_change() -> None:
    kernel = kernel_of(PointwiseWorkload(2, 25, 10, 49, relu=True, shortcut=True))
    assert price_kernel(kernel, TARGET, A72) == price_kernel(kernel, TARGET, A72)


def test_a_kernel_of_other_types_is_refused() -> None:
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("integers")
        T.arg("X", T.Buffer((4,), "int64"))
        T.evaluate(0)
    with pytest.raises(KernelPriceError, match=r"buffer X is int64 .* only float32, float16, "):
        price_kernel(builder.get(), TARGET, A72)
