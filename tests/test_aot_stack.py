"""A function's part of the stack is aligned to whole vectors where the ABI's is not."""

from __future__ import annotations

import re

import pytest
import tvm

from compile.aot.compute import compile_module, exported
from compile.aot.kernels import as_c_kernel
from compile.aot.stack import with_aligned_stack
from compile.schedules.lrn import LrnWorkload
from compile.schedules.templates import made_by_default
from tests.cores import A72

ALIGNED_TO = {"znver5": 64, "znver3": 32}


def kernel_module() -> tvm.IRModule:
    """Some kernel that fits any target."""
    kernel = as_c_kernel(made_by_default(LrnWorkload(16, 49, 2, 2, 1e-4, 2.0), A72, 1).kernel())
    return tvm.IRModule({"kernel": exported(kernel.function, "kernel")})


@pytest.mark.parametrize("cpu", ALIGNED_TO)
def test_x86_aligns_its_stack_to_whole_vectors(cpu: str) -> None:
    target = tvm.target.Target({"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": cpu})
    assembly = compile_module(kernel_module(), target).inspect_source("s")
    assert re.findall(r"andq\s+\$-(\d+), %rsp", assembly) == [str(ALIGNED_TO[cpu])]


@pytest.mark.parametrize(
    "target",
    [
        {"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "x86-64-v2"},
        {"kind": "llvm", "mtriple": "aarch64-linux-gnu", "mcpu": "cortex-a72"},
    ],
    ids=lambda target: target["mcpu"],
)
def test_vectors_as_long_as_the_abi_aligns_leave_a_module_alone(target: dict[str, str]) -> None:
    module = kernel_module()
    assert with_aligned_stack(module, tvm.target.Target(target)) is module
