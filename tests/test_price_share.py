# ruff: noqa: ANN201, N803 (TVMScript: no Python is run of it)
"""A kernel of several threads costs its longest share and its serial rest."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tvm import tirx
from tvm.script import tirx as T

from compile.price_kernel import kernel_program, price_kernel
from compile.price_share import Share
from compile.targets import host_target, parse_target
from deploy_rpc.cores import find_core
from tests.needs import needs_cycle_model

TARGET, A72 = parse_target("arm_cpu"), find_core("cortex-a72")


@T.prim_func(private=True, s_tir=True)
def eight_rows(X: T.Buffer((8, 4096), "float32"), Y: T.Buffer((8, 4096), "float32")):
    for i in T.parallel(8):
        for j in T.vectorized(4096):
            Y[i, j] = X[i, j] * 2.0


@T.prim_func(private=True, s_tir=True)
def seven_rows(X: T.Buffer((7, 4096), "float32"), Y: T.Buffer((7, 4096), "float32")):
    for i in T.parallel(7):
        for j in T.vectorized(4096):
            Y[i, j] = X[i, j] * 2.0


@T.prim_func(private=True, s_tir=True)
def serial_then_rows(X: T.Buffer((8, 4096), "float32"), Y: T.Buffer((8, 4096), "float32")):
    copy = T.alloc_buffer((8, 4096))
    for i in range(8):
        for j in T.vectorized(4096):
            copy[i, j] = X[i, j] * 2.0
    for i in T.parallel(8):
        for j in T.vectorized(4096):
            Y[i, j] = copy[i, j] + 1.0


def cycles(function: tirx.PrimFunc, threads: int) -> float:
    return price_kernel(function, TARGET, A72, threads).cycles


@needs_cycle_model
def test_rows_cost_as_many_as_the_longest_share_has() -> None:
    assert cycles(seven_rows, 3) == pytest.approx(3 / 7 * cycles(seven_rows, 1), rel=0.05)


@needs_cycle_model
def test_the_serial_rest_is_not_shared() -> None:
    shared = cycles(eight_rows, 1)
    assert cycles(serial_then_rows, 1) - cycles(serial_then_rows, 2) == pytest.approx(
        shared / 2, rel=0.1
    )


def test_a_share_runs_alone_and_waits_for_nobody(tmp_path: Path) -> None:
    program = tmp_path / "share"
    sizes = kernel_program(serial_then_rows, host_target(), program, Share(1, 2))
    assert sizes == ["32768", "32768", "32768"]
    subprocess.run([program, *sizes], check=True, timeout=60)
