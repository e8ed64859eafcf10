"""The FMA loop computes what it claims to, in registers and with nothing else in its loop."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tvm

from bench.fma_loop import STEP_UNROLL, STEPS, FmaLoop, fma_loops, fma_prim_func
from compile.targets import TargetError, parse_target

TARGETS = {
    "aarch64": "cortex-a72",
    "avx512": '{"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "skylake-avx512"}',
    "avx2": '{"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "haswell"}',
}
COUNTS = {"aarch64": range(8, 29, 4), "avx512": range(8, 29, 4), "avx2": (8, 12)}
FMAS = {"aarch64": r"\bfmla\tv.*\.4s", "avx512": r"vfmadd\d+ps\t.*%zmm", "avx2": r"vfmadd.*%ymm"}
X86_MEMORY = r"\(%|vmov"
MEMORY = {  # or a register moved, which would mean that they do not fit
    "aarch64": r"\t(ldr|ldp|str|stp|ld1|st1|mov\tv)",
    "avx512": X86_MEMORY,
    "avx2": X86_MEMORY,
}


@pytest.mark.parametrize("accumulators", [8, 12])
def test_every_accumulator_ends_as_its_start_and_all_steps(accumulators: int) -> None:
    loop = FmaLoop(accumulators, lanes=4)
    x = np.arange(1, 5, dtype=np.float32)
    y = np.full(4, 1 / STEPS, np.float32)
    start = np.arange(accumulators * 4, dtype=np.float32).reshape(accumulators, 4)
    tensors = [tvm.runtime.tensor(value) for value in (x, y, start, np.zeros_like(start))]
    tvm.compile(fma_prim_func(loop), target="llvm")[loop.name](*tensors)
    # sums of multiples of 1 / STEPS below 2^6: exact in 24 bits
    np.testing.assert_array_equal(tensors[-1].numpy(), start + x)
    assert loop.macs == STEPS * start.size


@pytest.mark.parametrize("name", TARGETS)
def test_the_accumulators_that_are_tried_fit_beside_the_operands(name: str) -> None:
    target = parse_target(TARGETS[name])
    loops = fma_loops(target)
    assert [loop.accumulators for loop in loops] == list(COUNTS[name])
    assert {loop.lanes for loop in loops} == {target.core.lanes}


def test_a_target_that_does_not_fuse_has_no_peak() -> None:
    target = '{"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "nehalem"}'
    with pytest.raises(TargetError, match="no fused multiply-add"):
        fma_loops(parse_target(target))


@pytest.mark.parametrize("name", TARGETS)
def test_the_loop_holds_all_multiply_adds_and_touches_no_memory(name: str) -> None:
    target = parse_target(TARGETS[name])
    for loop in fma_loops(target):
        compiled = tvm.compile(fma_prim_func(loop), target=target.tvm)
        lines = compiled.mod.inspect_source("asm").splitlines()
        fmas = [number for number, line in enumerate(lines) if re.search(FMAS[name], line)]
        assert len(fmas) == STEP_UNROLL * loop.accumulators
        body = lines[fmas[0] : fmas[-1] + 1]
        assert not [line for line in body if re.search(MEMORY[name], line)]
