"""A library of several threads answers under QEMU, and costs what its kernels do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compile.library import build_library
from compile.link import find_linker
from compile.lower import Lowered, lower
from compile.price_library import price_library
from compile.price_network import NetworkPrice
from compile.targets import parse_target
from deploy_rpc.board_spec import BoardError
from deploy_rpc.cores import find_core
from deploy_rpc.cycles import CycleReport
from tests.needs import needs_modelled_board
from tests.small_networks import small_network

A72, TARGET = find_core("cortex-a72"), parse_target("cortex-a72")


def built(level: str, path: Path) -> Lowered:
    lowered = lower(small_network(), level, TARGET, threads=2)
    build_library(lowered, TARGET, find_linker("auto", TARGET), path)
    return lowered


@needs_modelled_board
def test_of_two_threads_the_library_answers_right_and_costs_the_sum(tmp_path: Path) -> None:
    path = tmp_path / "network.so"
    lowered = built("fused", path)
    each = CycleReport("cortex-a72", "cortex-a72", 10.0, 20, 3, 2, 1, 0, 1.0, (), ())
    price = NetworkPrice("cortex-a72", 2, tuple((kernel, each) for kernel in lowered.kernels))
    report, (y,) = price_library(lowered, path, A72, price)
    calls = sum(kernel.calls for kernel in lowered.kernels)
    assert (report.cycles, report.instructions, report.coverage) == (10 * calls, 20 * calls, 1)
    network = lowered.network
    expected = network.reference(network.example_input())
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-4 * np.ptp(expected))


@needs_modelled_board
def test_what_needs_the_runtime_of_tvm_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.so"
    with pytest.raises(BoardError, match="needs TVM's runtime"):
        price_library(built("stock", path), path, A72)
